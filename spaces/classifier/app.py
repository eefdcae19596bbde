"""The page as a Hugging Face Space; its settings are told in hf_resnet/app/space.py."""

from hf_resnet.app.space import main

if __name__ == "__main__":
    main()
