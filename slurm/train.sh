#!/bin/bash
# One machine or several, all their GPUs. A run that is told to stop saves, is put into the queue again and goes on by itself.
#
#   sbatch slurm/train.sh train_configs/pefomed_stage2.yaml run.output_dir=output/stage2
#   sbatch --nodes 4 --gpus-per-node 8 slurm/train.sh train_configs/pefomed_stage1.yaml run.output_dir=output/stage1
#
# First the YAML, then options as behind --options. Your cluster's partition and account: sbatch --partition ... --account ...
#SBATCH --job-name=pefomed
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@180
#SBATCH --open-mode=append
#SBATCH --output=slurm-%x-%j.log

set -u
cfg=${1:?give the YAML of a run: sbatch slurm/train.sh train_configs/pefomed_stage2.yaml}
shift
cd "${SLURM_SUBMIT_DIR:-.}" || exit 2
export HF_HUB_OFFLINE=1
most_restarts=${PEFOMED_MOST_RESTARTS:-100}
stopped=

how=()
if [ "${SLURM_NNODES:-1}" -gt 1 ]; then
    # One process a machine, which starts one for each of its GPUs; they meet on the first machine. Each start is a meeting of its own.
    head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
    port=$((20000 + SLURM_JOB_ID % 20000))
    how=(--torchrun "--nnodes $SLURM_NNODES --rdzv-backend c10d --rdzv-id $SLURM_JOB_ID.${SLURM_RESTART_COUNT:-0} --rdzv-endpoint $head:$port")
fi
srun --kill-on-bad-exit=0 pefomed train --cfg-path "$cfg" ${how[@]+"${how[@]}"} --options run.resume=auto "$@" &
step=$!

# Slurm tells this script three minutes before the time is over, and when another job takes the machine.
stop() {
    stopped=yes
    echo "told to stop: the run saves"
    kill -TERM "$step" 2>/dev/null
}
trap stop TERM

while :; do
    wait "$step"
    code=$?
    kill -0 "$step" 2>/dev/null || break # a trap ends the wait, not the run
done
if [ -n "$stopped" ]; then # the code of the run, where the last wait had that of the signal
    wait "$step" 2>/dev/null
    ended=$?
    [ "$ended" -eq 127 ] || code=$ended
fi

if [ -n "$stopped" ] && [ "$code" -ne 0 ]; then
    if [ "${SLURM_RESTART_COUNT:-0}" -ge "$most_restarts" ]; then
        echo "not queued again: it was restarted ${SLURM_RESTART_COUNT} times (PEFOMED_MOST_RESTARTS)" >&2
        exit "$code"
    fi
    echo "into the queue again: it goes on from its last checkpoint"
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
fi
exit "$code"
