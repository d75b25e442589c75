#!/bin/sh
# Finds what a merge or an update from the template has left behind: conflict markers, rejected parts, and answers that
# the next update could not read.
set -eu
cd "$(dirname "$0")/.."
answers=.copier-answers.yml

# Nobody writes by hand in the folders that are left out.
problems=$({
  grep -rlIE '^(<{7}|\|{7}|>{7})( |.?$)' --exclude-dir=.git --exclude-dir=.cache . | sed 's/$/: conflict markers/'
  find . \( -name .git -o -name .cache \) -prune -o -type f \( -name '*.rej' -o -name '*.orig' \) -print |
    sed 's/$/: a part that could not be merged/'
  # A project that has left its template has no answers. copier writes a key and its value, the rest of one, an entry of
  # a list, a comment, or nothing.
  test ! -e $answers || awk -v file=./$answers '
    /^[A-Za-z_0-9]+:( |\r?$)/ {
      key = substr($0, 1, index($0, ":") - 1)
      if (seen[key]++ == 1) print file ": " key " stands there twice"
      next
    }
    !/^([ #-].*|\r?)$/ { print file ": no answer: " $0 }
    END {
      split("_commit _src_path stack", needed, " ")
      for (i = 1; i <= 3; i++) if (!(needed[i] in seen)) print file ": " needed[i] " is missing"
    }' $answers
})
test -z "$problems" || {
  printf '%s\ndocs/updating.md tells how to settle this\n' "$problems" >&2
  exit 1
}
