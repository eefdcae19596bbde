"""`python -m hf_resnet` and `accelerate launch -m hf_resnet` are `hf-resnet`."""

from hf_resnet.cli import main

raise SystemExit(main())
