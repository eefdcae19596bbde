"""The only room that writes to the Hub: a model folder put there whole, with its card.

It takes the Hub's address and the login from `huggingface_hub`'s own settings (HF_ENDPOINT, HF_TOKEN,
`hf auth login`), imports no torch, and writes no token anywhere.
"""
