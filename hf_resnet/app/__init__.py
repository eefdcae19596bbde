"""The page people use: a classifier behind a Gradio page. Importing this room imports no gradio."""
