"""The reference: transformers' own rendering of chat templates (transformers 5.23.0, Jinja2 3.1.6)."""
import datetime

import jinja2
from transformers.utils import chat_template_utils as reference

assert jinja2.__version__ == "3.1.6", jinja2.__version__

NOW = [2024, 7, 26, 14, 30, 5]


class FixedDatetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(*NOW)


reference.datetime = FixedDatetime


def render(template, given):
    """Renders as PreTrainedTokenizerBase.apply_chat_template does. Returns {"text", "generation"} or {"error"}.

    Spans are in characters there and in bytes here.
    """
    try:
        messages = given["messages"]
        if not messages:
            raise ValueError("empty conversation")
        messages = [{k: v for k, v in m.items() if v is not None} for m in messages]
        names = {k: given[k] for k in ("bos_token", "eos_token") if given.get(k) is not None}
        names.update(given.get("variables") or {})
        texts, spans = reference.render_jinja_template(
            conversations=[messages],
            tools=given.get("tools"),
            documents=given.get("documents"),
            chat_template=template,
            return_assistant_tokens_mask=True,
            add_generation_prompt=given.get("add_generation_prompt", False),
            **names,
        )
        text = texts[0]
        text.encode()
        return {"text": text, "generation": [[len(text[:b].encode()), len(text[:e].encode())] for b, e in spans[0]]}
    except Exception as error:  # whatever a template can raise
        return {"error": f"{type(error).__name__}: {error}"}
