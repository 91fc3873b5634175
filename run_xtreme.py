"""Fine-tune DLFA in English on an XTREME task and score it zero-shot in the other languages.

Embedded encoder and sample data, baseline and DLFA side by side (minutes on two CPU cores):

    python run_xtreme.py

A folder in XTREME's layout, layer 8 of mBERT, against the baseline:

    python run_xtreme.py --task udpos --data download/ --compare_baseline --output_dir runs/udpos \
        --model_name_or_path google-bert/bert-base-multilingual-cased --fusion_layer 8

The Hub's data sets, all nine tasks, XLM-R, on several GPUs:

    accelerate launch --multi_gpu run_xtreme.py --task all --data hub --output_dir runs/xlmr \
        --model_name_or_path FacebookAI/xlm-roberta-base --fusion_layer 8 --bf16 --per_device_train_batch_size 8

Dependency parsing first, then XNLI on the encoder that it leaves:

    python run_xtreme.py --task xnli --intermediate_tasks uddep --data download/ --output_dir runs/after_trees

Two processes on a CPU, with the same batches as one process at batch size 32:

    torchrun --standalone --nproc_per_node 2 run_xtreme.py --use_cpu --per_device_train_batch_size 16 \
        --output_dir runs/two

`dlfa train` is the same command. `--help` shows the arguments, `--help-all` those of the Trainer too; they may stand
in a YAML file given first: `python run_xtreme.py run.yaml --seed 2`.
"""

import sys

from modeling_dlfa.training.__main__ import main


if __name__ == "__main__":
    sys.exit(main())
