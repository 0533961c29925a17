/* The bot's HTTP interface. Knows fetch and server-sent events; knows nothing of the page. */

/** The server was not reached, or the connection broke. */
export class Offline extends Error {}

/** The server said no. `status` is HTTP's, `retryAfter` seconds or null. */
export class Refused extends Error {
  constructor(status, message, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** A client of the server at `base`, as in "https://support.example.com/". */
export class Client {
  constructor(base) {
    this.base = base;
  }

  async #call(path, init = {}) {
    let response;
    try {
      response = await fetch(new URL(path, this.base), { credentials: "omit", ...init });
    } catch (error) {
      if (init.signal?.aborted && init.signal.reason?.name !== "TimeoutError") throw error;
      throw new Offline(String(error));
    }
    if (response.status === 502 || response.status === 504) throw new Offline(`status ${response.status}`);
    if (!response.ok) throw await refusal(response);
    return response;
  }

  /** Whether the server answers at all. */
  async alive() {
    try {
      await this.#call("livez", { signal: AbortSignal.timeout(5000), cache: "no-store" });
      return true;
    } catch (error) {
      return error instanceof Refused;
    }
  }

  async conversation(id) {
    return (await this.#json(`customer-service/conversations/${encodeURIComponent(id)}`));
  }

  async document(id) {
    return (await this.#json(`customer-service/documents/${id.split("/").map(encodeURIComponent).join("/")}`));
  }

  async #json(path) {
    const response = await this.#call(path, { signal: AbortSignal.timeout(20_000) });
    try {
      return await response.json();
    } catch (error) {
      throw new Offline(String(error));
    }
  }

  /**
   * Ask, and hand on what comes.
   *
   * conversation: an id, or "new". onConversation(id) is called before the first text, onText(text) for every piece.
   * Returns the last chunk's {action, citations, verdict, conversation_id, language}.
   */
  async ask(text, { conversation, signal, onConversation, onText }) {
    const body = { messages: [{ role: "user", content: text }], stream: true, conversation_id: conversation };
    const response = await this.#call("v1/chat/completions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    let last = null;
    for await (const data of events(response.body, signal)) {
      if (data === "[DONE]") return last;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Refused(500, chunk.error.message);
      if (chunk.conversation_id) onConversation(chunk.conversation_id);
      const choice = chunk.choices[0];
      if (choice?.delta.content) onText(choice.delta.content);
      if (choice?.finish_reason) last = chunk;
    }
    throw new Offline("the stream ended early");
  }
}

async function refusal(response) {
  const retry = Number(response.headers.get("Retry-After")) || null;
  let message = "";
  try {
    const body = await response.json();
    message = body.error?.message ?? body.detail ?? "";
  } catch {
    // Not one of this server's own bodies; the status alone must do.
  }
  return new Refused(response.status, message || `HTTP ${response.status}`, retry);
}

/** The data of server-sent events as they come. */
async function* events(body, signal) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      let part;
      try {
        part = await reader.read();
      } catch (error) {
        if (signal?.aborted) throw error;
        throw new Offline(String(error));
      }
      if (part.done) return;
      const blocks = (rest + part.value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const lines = block.split("\n").filter((line) => line.startsWith("data:"));
        if (lines.length) yield lines.map((line) => line.slice(5).trimStart()).join("\n");
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
