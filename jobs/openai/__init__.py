"""Programs written for OpenAI's audio API work here unchanged: same addresses below `/v1`, same answers.

What they send becomes a recording like any other, seen on its owner's pages; the answer waits for its end. The shapes
are those of the `openai` Python client, https://platform.openai.com/docs/api-reference/audio.
"""
