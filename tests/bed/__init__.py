"""The test bed: real engines and real images, made from Debian packages.

Goal: on a bare Debian machine, with nothing but Python and git, give `tests/run` two Docker
engines of different ages and `tests/demo` one, and leave the machine as it was.

Plan, one module a step:

- `say`: progress and failure on standard error, programs run with their output in a log;
- `checkout`: paths, locks, and files that are made once;
- `packages`: Debian packages fetched and unpacked, never installed;
- `machine`: requirements of the machine;
- `venv`: the virtual environment;
- `engines`: private engines, started and ended;
- `images`: root file systems composed as tar files, imported into an engine;
- `keeper`: ends engines when the process that started them has ended, also by SIGKILL;
- `demo` and `suite`: the code of the two scripts.

Lasting files are in `.bed/` and `.venv/` of the checkout, and are reused. Files of a running
engine are in a short directory of `/tmp`, because the path of a socket is limited to 108 bytes.
No registry is needed: images are composed of packages.
"""
