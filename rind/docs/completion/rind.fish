complete --command rind --no-files --arguments \
  '(rind --complete fish-token (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
