function __rind_here
    set --local line (string escape -- $argv[1..-2] | string join ' ') $argv[-1]
    set --local files (complete -C "'' $argv[-1]" | string replace --regex '\t.*' '')
    for candidate in (complete -C "$line")
        contains -- (string replace --regex '\t.*' '' -- $candidate) $files
        or printf '%s\n' $candidate
    end
end
function __rind_complete
    set --local words (commandline -opc) (commandline -ct)
    set --local found (rind --complete local fish-token $words[2..])
    if string match --quiet \t'*' -- $found[1]
        set --local here (__rind_here $words[(math 1 + (string trim -- $found[1]))..])
        if set --query here[1]
            set found $here
        else
            set found (rind --complete fish-token $words[2..])
        end
    end
    string join \n -- $found
end
complete --command rind --no-files --arguments '(__rind_complete 2>/dev/null)'
