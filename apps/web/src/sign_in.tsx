import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";
import { describe } from "./parts";
import { signIn } from "./server";
import { t } from "./text";

export function SignIn() {
  const [key, setKey] = useState("");
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);

  async function submit(event: Event) {
    event.preventDefault();
    if (!key || busy) return;
    setBusy(true);
    setFault("");
    try {
      if (!(await signIn(key.trim()))) setFault(t("signin.wrong"));
    } catch (error) {
      setFault(describe(error));
    }
    setBusy(false);
    input.current?.select();
  }

  return (
    <form class="card signin" onSubmit={submit} aria-labelledby="signin-title">
      <h1 id="signin-title">{t("signin.title")}</h1>
      <p class="quiet">{t("signin.text")}</p>
      <label class="field" for="signin-key">
        <span>{t("signin.key")}</span>
        <input
          ref={input}
          id="signin-key"
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={key}
          aria-invalid={fault ? "true" : undefined}
          aria-describedby={fault ? "signin-fault" : undefined}
          onInput={(e) => setKey(e.currentTarget.value)}
        />
      </label>
      {fault && (
        <p class="fault" id="signin-fault" role="alert">
          <Icon name="flag" /> {fault}
        </p>
      )}
      <button class="button primary" type="submit" disabled={busy}>
        <Icon name="key" />
        <span>{t(busy ? "signin.checking" : "signin.go")}</span>
      </button>
    </form>
  );
}
