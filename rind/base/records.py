"""Data classes without importing :mod:`dataclasses`, which takes 13 ms with its own imports.

A type checker sees the standard library's names. At run time the classes work with
:func:`dataclasses.replace`, :func:`dataclasses.fields` and :func:`inspect.signature` too: the first
such use creates a real data class with the same fields, and copies its attributes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:

    class _Factory:
        def __init__(self, make):
            self.make = make

    _MISSING = object()

    def field(*, default_factory):
        return _Factory(default_factory)

    def replace(record, /, **changes):
        return type(record)(**{**record.__dict__, **changes})

    def dataclass(*, frozen=False, slots=False, kw_only=False):  # noqa: ARG001 # without slots: a dict is as good
        def complete(cls):
            cls._names = tuple(cls.__annotations__)
            cls.__match_args__ = () if kw_only else cls._names
            cls._defaults = {
                name: cls.__dict__[name] for name in cls._names if name in cls.__dict__
            }
            cls._template = {name: cls._defaults.get(name, _MISSING) for name in cls._names}
            cls._unready = [
                name
                for name, value in cls._template.items()
                if value is _MISSING or isinstance(value, _Factory)
            ]
            cls._kw_only = kw_only
            cls._frozen = frozen
            cls.__init__ = _init
            cls.__repr__ = _repr
            cls.__eq__ = _eq
            cls.__replace__ = replace
            cls.__hash__ = _hash if frozen else None
            if frozen:
                cls.__setattr__ = cls.__delattr__ = _refuse
            cls.__dataclass_fields__ = _OfTwin("__dataclass_fields__")
            cls.__signature__ = _OfTwin("__signature__")
            return cls

        return complete

    def _init(self, *args, **values):
        names = self._names
        if len(args) > (0 if self._kw_only else len(names)):
            raise TypeError(f"{type(self).__name__}: too many positional arguments: {args!r}")
        # In the order of the fields, on which __repr__ and __hash__ rely.
        fields = {**self._template, **dict(zip(names, args, strict=False)), **values}
        # Unknown names, and names that were passed by position too.
        if len(fields) > len(names) or (args and not values.keys().isdisjoint(names[: len(args)])):
            wrong = values.keys() - names | values.keys() & set(names[: len(args)])
            raise TypeError(f"{type(self).__name__}: unexpected arguments: {sorted(wrong)}")
        for name in self._unready:
            if isinstance(fields[name], _Factory):
                fields[name] = fields[name].make()
            elif fields[name] is _MISSING:
                raise TypeError(f"{type(self).__name__}: missing argument: {name!r}")
        # Not by setattr, which a frozen class refuses.
        self.__dict__.update(fields)

    def _repr(self):
        values = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__qualname__}({values})"

    def _eq(self, other):
        return self.__dict__ == other.__dict__ if type(self) is type(other) else NotImplemented

    def _hash(self):
        return hash(tuple(self.__dict__.values()))

    def _refuse(self, name, *_):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot change {name!r} of a {type(self).__name__}")

    class _OfTwin:
        """An attribute copied, at first use, from a real data class with the same fields."""

        def __init__(self, name):
            self.name = name

        def __get__(self, _, cls):
            import dataclasses
            import inspect

            fields = []
            for name, kind in cls.__annotations__.items():
                default = cls._defaults.get(name, dataclasses.MISSING)
                made = isinstance(default, _Factory)
                how = {"default_factory" if made else "default": default.make if made else default}
                fields.append((name, kind, dataclasses.field(**how)))
            twin = dataclasses.make_dataclass(cls.__name__, fields, kw_only=cls._kw_only)
            cls.__dataclass_fields__ = twin.__dataclass_fields__
            cls.__signature__ = inspect.signature(twin)
            return getattr(cls, self.name)


__all__ = ["dataclass", "field", "replace"]
