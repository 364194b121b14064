# The first process of an isolated run, inside: carries the command out and ends what it leaves behind.
#
#   bash -c "$(<inner.bash)" mlproj STATUS DOOR COUNT GRACE PATIENCE ARGUMENT...
#
# STATUS is a descriptor that is told `b` when all is set up and the command begins, and then `s` where a
# signal ended it or `e` where none did, which an exit code over 128 alone does not say. DOOR is a descriptor
# for what opens the run's port in here, or empty; COUNT of the arguments are that program's then. GRACE and
# PATIENCE are hundredths of a second: for what the command leaves behind, before it is told to end and after.
status=$1 door=$2 count=$3 grace=$4 patience=$5
shift 5

# With a handler, the signals by which the others are stopped do not end this one; the command has none of it.
trap : HUP INT TERM

exec {errors}>&2 {told}<> <(:)
# Whatever bash says of the command's end goes where only we look.
exec 2>&"$told"

if [[ -n $door ]]; then
    "${@:1:count}" {status}>&- {told}>&- 2>&"$errors" {errors}>&-
    exec {door}>&-
    shift "$count"
fi

printf b >&"$status"
"$@" 2>&"$errors" {errors}>&- {told}>&- {status}>&-
code=$?

if read -t 0 -u "$told"; then
    read -r -u "$told"
    printf s >&"$status"
else
    printf e >&"$status"
fi

others() {
    set -- /proc/[0-9]*
    (($# > 1))
}
wait_for_others() {
    local turn
    for ((turn = 0; turn < $1; turn++)); do
        others || return
        read -r -t 0.01 -u "$told"
    done
}
wait_for_others "$grace"
if others; then
    kill -TERM -1
    wait_for_others "$patience"
fi
# The end of a namespace's first process is that of all others.
exit "$code"
