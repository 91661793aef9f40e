#!/bin/bash
# What fio and qemu-img make of the work that the benchmarks do, one line per figure.
# usage: benchmarks/other-tools.sh [FOLDER [RUNS]]   FOLDER takes direct I/O and has room for 3 GiB
set -euo pipefail
folder=$(mktemp -d "${1:-/var/tmp}/ashlar-other-tools.XXXXXX")
runs=${2:-5}
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# The median of the seconds that a command takes. Arguments: a command that puts things back, then the command itself.
seconds() {
    local back=$1 started ended
    shift
    for ((i = 0; i < runs; i++)); do
        started=$(date +%s%N)
        "$@" >&2
        ended=$(date +%s%N)
        $back >&2
        echo $((ended - started))
    done | sort -n | awk '{ all[NR] = $1 } END { printf "%.3f\n", all[int((NR + 1) / 2)] / 1e9 }'
}

head -c 1G /dev/urandom >data.raw
qemu-img convert -f raw -O qcow2 data.raw data.qcow2
if type fio >/dev/null 2>&1; then
    for depth in 1 64; do
        for ((i = 0; i < runs; i++)); do
            fio --name=read --filename=data.raw --rw=randread --bs=4k --iodepth=$depth --ioengine=io_uring --direct=1 \
                --time_based --runtime=3 --size=1G --output-format=terse --terse-version=3 | cut -d';' -f8
        done | sort -n | awk -v depth=$depth '{ all[NR] = $1 }
            END { print "fio, random reads of 4 KiB, depth " depth ": " all[int((NR + 1) / 2)] "/s" }'
    done
fi
# qemu-img reads one block behind the other, not at random.
for format in raw qcow2; do
    for depth in 1 64; do
        count=$((depth == 1 ? 20000 : 100000))
        took=$(seconds true qemu-img bench -t none -i io_uring -f $format -d $depth -c $count -s 4096 data.$format 2>/dev/null)
        awk -v c=$count -v t="$took" -v f=$format -v d=$depth \
            'BEGIN { printf "qemu-img bench, %s, depth %d: %.0f/s\n", f, d, c / t }'
    done
done
for size in 64M 64G 1T; do
    qemu-img create -q -f qcow2 -o preallocation=metadata many.qcow2 $size
    take="qemu-img snapshot -c now many.qcow2"
    drop="qemu-img snapshot -d now many.qcow2"
    echo "qemu-img snapshot -c, $size: $(seconds "$drop" $take) s"
    $take
    echo "qemu-img snapshot -d, $size: $(seconds "$take" $drop) s"
    rm many.qcow2
done
