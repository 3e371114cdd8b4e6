#!/bin/sh
# Builds the objects beside it, byte for byte the same in any directory: with clang-14 and
# llvm-strip-14 of Debian 12, which is what the continuous integration rebuilds and compares with.
# Nobody else needs it: the objects are committed, and a plain `cargo build` takes them as they are.
#
# With `--check` it builds aside and fails when a committed object differs.
set -eu
cd "$(dirname "$0")"
out=.
if [ "${1:-}" = --check ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi
for source in *.bpf.c; do
    object=${source%.c}.o
    clang-14 -target bpf -mcpu=v3 -g -O2 -Wall -Werror -Wno-unused-variable \
        -Wno-unused-const-variable -fdebug-compilation-dir=. "-ffile-prefix-map=$PWD=." \
        -c "$source" -o "$out/$object"
    llvm-strip-14 -g "$out/$object"
    if [ "$out" != . ] && ! cmp "$object" "$out/$object"; then
        echo "$object is not what $source builds to" >&2
        exit 1
    fi
done
