"""Conversations that templates are rendered with, by name. Each is one ChatInput."""

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": 'Get the "current" weather at a place <b>& more</b>',
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "City, e.g. “Zürich”"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "default": 3},
                "detail": {"type": ["string", "null"]},
                "tags": {"type": "array", "items": {"type": "string"}},
                "where": {"type": "object", "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}}},
            },
            "required": ["location"],
        },
        "return": {"type": "string", "description": "A sentence"},
    },
}
LOOKUP = {
    "type": "function",
    "function": {"name": "look_up", "description": "Look up a code", "parameters": {"type": "object", "properties": {}}},
}


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def system(text):
    return {"role": "system", "content": text}


def tool_call(arguments, call_id="call12345"):
    return {"id": call_id, "type": "function", "function": {"name": "get_current_weather", "arguments": arguments}}


MULTI = [user("Who are you?"), assistant("A model."), user("Which?"), assistant("A small one."), user("Thanks")]
NOTE = "Pt. c/o SOB × 3 d.\n\n  BP 150/95 mmHg;  SpO₂ 91 %\t(room air)\n"

MESSAGES = {
    "user": [user("Hello")],
    "system_user": [system("You are a radiologist."), user("What is a CT?")],
    "multi_turn": MULTI,
    "system_multi_turn": [system("Be brief.")] + MULTI,
    "ends_with_assistant": MULTI[:4],
    "whitespace": [system("  padded \n"), user("\n\n" + NOTE + "  "), assistant(" \t answer \n"), user("")],
    "unicode": [user("Grüße, 世界! 👩🏽‍⚕️ שלום \u202e \u00a0x\u2003"), assistant("naïve İ ß Σ ﬁ"), user("\u0000\u0007 ok \U0001f600")],
    "text_parts": [user([{"type": "text", "text": " one "}, {"type": "text", "text": "two"}])],
    "image_parts": [user([{"type": "image"}, {"type": "text", "text": " Describe this X-ray. "}]),
                    assistant([{"type": "text", "text": "Clear lungs."}]),
                    user([{"type": "text", "text": "And this?"}, {"type": "image", "image": "a.png"},
                          {"type": "video"}, {"type": "image_url", "image_url": {"url": "x"}}])],
    "system_parts": [system([{"type": "text", "text": "You are an expert radiologist."}]),
                     user([{"type": "text", "text": "Compare"}, {"type": "image"}, {"type": "image"}])],
    "two_users": [user("one"), user("two")],
    "assistant_first": [assistant("hi"), user("hello")],
    "unknown_role": [user("a"), {"role": "oracle", "content": "b"}, user("c")],
    "late_system": [user("a"), assistant("b"), system("new rules"), user("c")],
    "no_content": [user("a"), {"role": "assistant", "content": None}, user("b")],
    "number_content": [user(42)],
    "empty_parts": [user([])],
    "developer": [{"role": "developer", "content": "Only JSON."}, user("x")],
    "spelled_tokens": [user("<end_of_turn>\n<start_of_turn>model\n</s> [INST] <|im_end|> <|eot_id|> <think>x</think>")],
    "markup": [user("{{ messages }} {% raw %} {# no #} <b>&amp;</b> 'q' \"d\" \\n")],
    "thinking": [user("2+2?"), assistant("<think>\nfour?\n</think>\n\nFour."), user("sure?"),
                 {"role": "assistant", "content": "Yes.", "reasoning_content": "It is."}, user("ok")],
    "reasoning": [user("2+2?"), {"role": "assistant", "content": "4", "reasoning": "add"}, user("ok")],
    "tool_calls": [system("Use tools."), user("Weather in Zürich?"),
                   {"role": "assistant", "content": "", "tool_calls": [tool_call({"location": "Zürich", "days": 2, "x": None, "f": 1.0})]},
                   {"role": "tool", "name": "get_current_weather", "tool_call_id": "call12345", "content": '{"t": 21.5, "unit": "°C"}'},
                   assistant("21.5 °C"), user("And tomorrow?")],
    "tool_calls_text": [user("Weather?"),
                        {"role": "assistant", "tool_calls": [tool_call('{"location": "Bern"}'), tool_call('{"location": "Basel"}', "call67890")]},
                        {"role": "tool", "content": "20", "tool_call_id": "call12345"}, {"role": "tool", "content": "22", "tool_call_id": "call67890"}],
    "long": [m for i in range(12) for m in (user(f"question {i}"), assistant(f"answer {i}"))] + [user("last")],
}

# (name, messages, the rest of the input)
CONVERSATIONS = []
for name, messages in MESSAGES.items():
    CONVERSATIONS.append((name, messages, {"add_generation_prompt": True}))
for name in ("user", "system_multi_turn", "ends_with_assistant", "image_parts", "thinking"):
    CONVERSATIONS.append((name + "+no_prompt", MESSAGES[name], {}))
for name in ("user", "system_user", "multi_turn", "tool_calls", "tool_calls_text", "image_parts"):
    CONVERSATIONS.append((name + "+tools", MESSAGES[name], {"tools": [WEATHER, LOOKUP], "add_generation_prompt": True}))
CONVERSATIONS += [
    ("user+empty_tools", MESSAGES["user"], {"tools": [], "add_generation_prompt": True}),
    ("user+documents", MESSAGES["system_user"], {"documents": [{"title": "A", "text": "alpha"}, {"title": "B", "text": "β"}],
                                                 "add_generation_prompt": True}),
    ("thinking+off", MESSAGES["thinking"], {"variables": {"enable_thinking": False, "thinking": False}, "add_generation_prompt": True}),
    ("thinking+on", MESSAGES["thinking"], {"variables": {"enable_thinking": True, "thinking": True}, "add_generation_prompt": True}),
    ("image_parts+vision_id", MESSAGES["image_parts"], {"variables": {"add_vision_id": True}, "add_generation_prompt": True}),
    ("tools_in_user", MESSAGES["system_user"], {"tools": [WEATHER], "add_generation_prompt": True,
                                                "variables": {"tools_in_user_message": False, "date_string": "1 Jan 2030",
                                                              "builtin_tools": ["brave_search", "code_interpreter"]}}),
]
