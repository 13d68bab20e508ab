import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { announcement } from "./announce";
import { getKey } from "./api";
import { ChatView } from "./chat/chat_view";
import { DocumentView } from "./document/document_view";
import { Icon, type IconName } from "./icons";
import { ImagesView } from "./images/images_view";
import { Button } from "./parts";
import { server, signOut, startWatching, type Health } from "./server";
import { SignIn } from "./sign_in";
import "./style/index.css";
import { SystemView } from "./system/system_view";
import { startTheme, switchTheme, theme } from "./theme";
import { t, type TextKey } from "./text";

const views = ["documents", "images", "chat", "system"] as const;
type View = (typeof views)[number];
const viewIcons: Record<View, IconName> = { documents: "file", images: "image", chat: "chat", system: "server" };

const viewOfHash = (): View => views.find((v) => location.hash === `#/${v}`) ?? "documents";

function useView(): View {
  const [view, setView] = useState<View>(viewOfHash);
  useEffect(() => {
    const follow = () => setView(viewOfHash());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  useEffect(() => {
    document.title = `${t(`view.${view}`)} · galen`;
  }, [view]);
  return view;
}

const healthIcons: Record<Health, IconName> = {
  up: "check",
  unknown: "none",
  draining: "note",
  failed: "flag",
  gone: "flag",
};

function Header({ view }: { view: View }) {
  const { health, access } = server.use();
  const { shown } = theme.use();
  return (
    <header class="top">
      <a class="brand" href="#/documents">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="8" />
          <path d="M21.5 11.2A7 7 0 1 0 23 16h-6.5" />
        </svg>
        {t("app.name")}
      </a>
      <nav aria-label={t("app.views")}>
        {views.map((v) => (
          <a key={v} href={`#/${v}`} aria-current={v === view ? "page" : undefined}>
            <Icon name={viewIcons[v]} />
            <span>{t(`view.${v}`)}</span>
          </a>
        ))}
      </nav>
      <div class="tools">
        <span class={`pill ${health}`} title={t(`server.${health}` as TextKey)}>
          <Icon name={healthIcons[health]} />
          <span>{t(`server.${health}` as TextKey)}</span>
        </span>
        {access === "open" && getKey() !== "" && (
          <Button kind="quiet" icon="key" label={t("signin.out")} onClick={signOut}>
            {t("signin.out")}
          </Button>
        )}
        <Button
          kind="quiet"
          icon={shown === "dark" ? "sun" : "moon"}
          label={t(shown === "dark" ? "theme.to_light" : "theme.to_dark")}
          onClick={switchTheme}
        />
      </div>
    </header>
  );
}

function Announcements() {
  const { text } = announcement.use();
  return (
    <div class={`toast ${text ? "shown" : ""}`} role="status" aria-live="polite">
      {text}
    </div>
  );
}

function App() {
  const view = useView();
  const { health, access } = server.use();
  return (
    <>
      <a class="skip" href="#content" onClick={(e) => {
        e.preventDefault();
        document.getElementById("content")?.focus();
      }}>
        {t("app.skip")}
      </a>
      <Header view={view} />
      {health === "gone" && (
        <div class="banner">
          <Icon name="flag" /> {t("server.gone_long")}
        </div>
      )}
      <main id="content" tabIndex={-1}>
        {access === "denied" && <SignIn />}
        {access === "unknown" && health !== "gone" && <p class="quiet centre">{t("app.loading")}</p>}
        {/* All views stay, so that what was read or asked is still there after a look at another. */}
        <div class="view" hidden={view !== "documents" || access !== "open"}>
          <DocumentView />
        </div>
        <div class="view" hidden={view !== "images" || access !== "open"}>
          <ImagesView />
        </div>
        <div class="view" hidden={view !== "chat" || access !== "open"}>
          <ChatView />
        </div>
        <div class="view" hidden={view !== "system" || access !== "open"}>
          <SystemView visible={view === "system" && access === "open"} />
        </div>
      </main>
      <Announcements />
    </>
  );
}

startTheme();
startWatching();
const root = document.getElementById("app")!;
root.textContent = "";
render(<App />, root);
