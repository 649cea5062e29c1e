# A model that a coding agent can be tried with: it asks for one command, is told what that printed, and says so. It
# speaks as much as agents need of Anthropic's Messages, OpenAI's Responses and Chat Completions, and Gemini's
# generateContent, whole or as a stream; what it is asked by the way (a title, a count) it answers with a word.
#   model.py ASKED ADDRESS PORT COMMAND   ASKED: where each request is noted: path, key, and what it was answered with.
# Says "ready" and ends with SIGTERM.
import http.server, json, re, socketserver, sys

asked, address, port, command = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]

# The tools of agents that run a command, and what each wants to be given besides.
TOOLS = {
    "Bash": {"command": command, "description": "Write and run it"},
    "bash": {"command": command, "description": "Write and run it"},
    "run_shell_command": {"command": command, "description": "Write and run it"},
    "exec": f"text((await tools.exec_command({json.dumps({'cmd': command})})).output)",
}

# An answer is ("call", tool, arguments), then ("said", what the command printed); without such a tool ("text", words).
def decide(tools, results):
    tool = next((name for name in tools if name in TOOLS), None)
    if results: return "said", "It printed: " + " ".join(results[-1].split())
    return ("call", tool, TOOLS[tool]) if tool else ("text", "hello")

def texts(value): # all the strings in what a tool gave back
    if isinstance(value, str): yield value
    elif isinstance(value, dict):
        for name, one in value.items(): yield from texts(one) if name != "type" else ()
    elif isinstance(value, list):
        for one in value: yield from texts(one)

def said(value): return " ".join(texts(value))

# ---- Anthropic: Messages

def messages(ask):
    parts = [part for m in ask["messages"] if isinstance(m["content"], list) for part in m["content"]]
    kind, *what = decide([t.get("name") for t in ask.get("tools", [])],
        [said(part.get("content")) for part in parts if part.get("type") == "tool_result"])
    usage = {"input_tokens": 1, "output_tokens": 1}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": ask["model"], "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage}
    stop = {"stop_reason": "tool_use" if kind == "call" else "end_turn", "stop_sequence": None}
    if kind == "call":
        block = {"type": "tool_use", "id": "toolu_1", "name": what[0], "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(what[1])}
        whole = {**block, "input": what[1]}
    else:
        block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": what[0]}
        whole = {"type": "text", "text": what[0]}
    if not ask.get("stream"): return kind, {**head, "content": [whole], **stop}
    return kind, [
        {"type": "message_start", "message": head},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": usage},
        {"type": "message_stop"},
    ]

# ---- OpenAI: Responses

def responses(ask):
    # Tools may come with what was said, in a space of names; one of them takes a program that calls the others.
    offered = list(ask.get("tools", [])) + [t for i in ask["input"] for t in i.get("tools", [])]
    offered = [t for space in offered for t in ([space] if space["type"] != "namespace" else space["tools"])]
    kind, *what = decide([t.get("name") for t in offered],
        [said(i["output"]) for i in ask["input"] if i["type"] == "custom_tool_call_output"])
    if kind == "call":
        item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": what[0], "input": what[1],
            "status": "completed"}
    else:
        item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": what[0], "annotations": []}]}
    whole = {"id": "resp_1", "object": "response", "created_at": 1, "model": ask["model"], "status": "completed",
        "output": [item], "usage": {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 1, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 2}}
    if not ask.get("stream"): return kind, whole
    return kind, [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]

# ---- OpenAI: Chat Completions

def completions(ask):
    kind, *what = decide([t.get("function", {}).get("name") for t in ask.get("tools", [])],
        [said(m.get("content")) for m in ask["messages"] if m.get("role") == "tool"])
    if kind == "call":
        call = {"id": "call_1", "type": "function", "function": {"name": what[0], "arguments": json.dumps(what[1])}}
        message = {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **call}]}
    else: message = {"role": "assistant", "content": what[0]}
    reason = "tool_calls" if kind == "call" else "stop"
    head = {"id": "chatcmpl-1", "created": 1, "model": ask["model"]}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    if not ask.get("stream"):
        return kind, {**head, "object": "chat.completion", "usage": usage,
            "choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    chunk = {**head, "object": "chat.completion.chunk"}
    return kind, [
        {**chunk, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage},
        "[DONE]",
    ]

# ---- Gemini: generateContent, streamGenerateContent

def least(schema): # what a schema asks for, and no more
    kind = schema["type"].lower()
    if kind == "object": return {name: least(schema["properties"][name]) for name in schema["required"]}
    return {"string": "hello", "integer": 1}[kind]

def contents(ask):
    parts = [part for content in ask["contents"] for part in content.get("parts", [])]
    schema = ask.get("generationConfig", {}).get("responseJsonSchema")
    if schema: kind, what = "text", [json.dumps(least(schema))] # which model should answer, for one
    else: kind, *what = decide([f.get("name") for t in ask.get("tools", []) for f in t.get("functionDeclarations", [])],
        [said(part["functionResponse"].get("response")) for part in parts if "functionResponse" in part])
    part = {"functionCall": {"name": what[0], "args": what[1]}} if kind == "call" else {"text": what[0]}
    return kind, {"candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}}

WAYS = [ # path, what answers there
    (r"/v1/messages", messages),
    (r"/v1/messages/count_tokens", lambda ask: ("count", {"input_tokens": 1})),
    (r"/v1/responses", responses),
    (r"/v1/chat/completions", completions),
    (r"/v1beta/models/[^/:]+:generateContent", contents),
    (r"/v1beta/models/[^/:]+:streamGenerateContent", lambda ask: (lambda kind, one: (kind, [one]))(*contents(ask))),
    (r"/v1beta/models/[^/:]+:countTokens", lambda ask: ("count", {"totalTokens": 1})),
]

class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass

    def do_GET(self): self.answer(426, b"{}", "application/json", "nothing") # no WebSocket, which codex tries first
    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        way = next((way for pattern, way in WAYS if re.fullmatch(pattern, self.path.split("?")[0])), None)
        if not way: return self.answer(404, b"{}", "application/json", "nothing")
        kind, reply = way(json.loads(body))
        if isinstance(reply, dict): return self.answer(200, json.dumps(reply).encode(), "application/json", kind)
        events = ""
        for event in reply:
            if isinstance(event, dict) and "type" in event: events += f"event: {event['type']}\n"
            events += f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n"
        self.answer(200, events.encode(), "text/event-stream", kind)

    def answer(self, status, body, kind, noted):
        key = self.headers.get("x-api-key") or self.headers.get("x-goog-api-key") \
            or (self.headers.get("Authorization") or "-").removeprefix("Bearer ")
        with open(asked, "a") as log: log.write(f"{self.command} {self.path} {key} {noted}\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)

class Server(socketserver.ThreadingTCPServer): # an HTTPServer would look up its own name
    allow_reuse_address = daemon_threads = True

server = Server((address, port), Model)
print("ready", flush=True)
server.serve_forever()
