"""The lab as a Hugging Face Space; its settings are told in hf_resnet/app/lab_space.py."""

from hf_resnet.app.lab_space import main

if __name__ == "__main__":
    main()
