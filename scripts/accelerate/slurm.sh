#!/bin/bash
# Several machines under SLURM: sbatch scripts/accelerate/slurm.sh --train_dir photos --output_dir outputs/pets
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=2
#SBATCH --cpus-per-task=16
#SBATCH --signal=TERM@120
# SLURM asks the run to stop two minutes before the time is over; it saves and ends, and the same
# command goes on from there.
set -eu
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export first
srun bash -c 'accelerate launch --multi_gpu --num_machines "$SLURM_NNODES" \
    --num_processes $((SLURM_NNODES * SLURM_GPUS_ON_NODE)) --machine_rank "$SLURM_NODEID" \
    --main_process_ip "$first" --main_process_port 29500 \
    scripts/finetune.py --model_name_or_path microsoft/resnet-50 "$@"' -- "$@"
