"""A page to play with: what one or two finished runs make of a sentence. It needs the extra `demo` (gradio)."""
