// The little Markdown that models write – paragraphs, headings, lists, code, bold, italics – as elements; never as HTML text.
import type { ComponentChildren } from "preact";

function inline(text: string): ComponentChildren[] {
  const out: ComponentChildren[] = [];
  const pattern = /`([^`\n]+)`|\*\*([^*\n]+)\*\*|(?<![\w*])\*([^*\s][^*\n]*)\*(?![\w*])/g;
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    out.push(text.slice(at, match.index));
    const [whole, code, bold, italic] = match;
    out.push(code !== undefined ? <code>{code}</code> : bold !== undefined ? <strong>{bold}</strong> : <em>{italic}</em>);
    at = match.index + whole.length;
  }
  out.push(text.slice(at));
  return out;
}

const BULLET = /^\s*[-*•]\s+/;
const NUMBER = /^\s*\d+[.)]\s+/;

function block(lines: string[], key: number): ComponentChildren {
  const heading = /^#{1,6}\s+/.exec(lines[0]!);
  if (heading && lines.length === 1)
    return (
      <p key={key} class="heading">
        {inline(lines[0]!.slice(heading[0].length))}
      </p>
    );
  for (const [mark, Tag] of [[BULLET, "ul"], [NUMBER, "ol"]] as const) {
    if (!mark.test(lines[0]!)) continue;
    const items: string[] = [];
    for (const line of lines) {
      if (mark.test(line) || !items.length) items.push(line.replace(mark, ""));
      else items[items.length - 1] += `\n${line.trim()}`;
    }
    const start = Tag === "ol" ? Number.parseInt(lines[0]!.trim(), 10) : undefined;
    return (
      <Tag key={key} start={start}>
        {items.map((item, i) => (
          <li key={i}>{inline(item)}</li>
        ))}
      </Tag>
    );
  }
  return <p key={key}>{inline(lines.join("\n"))}</p>;
}

export function Markdown({ text }: { text: string }) {
  const out: ComponentChildren[] = [];
  let lines: string[] = [];
  const flush = () => {
    if (lines.length) out.push(block(lines, out.length));
    lines = [];
  };
  let fence: string[] | null = null;
  for (const line of text.split("\n")) {
    if (line.trimStart().startsWith("```")) {
      if (fence) out.push(<pre key={out.length} tabIndex={0}>{fence.join("\n")}</pre>);
      else flush();
      fence = fence ? null : [];
    } else if (fence) {
      fence.push(line);
    } else if (!line.trim()) {
      flush();
    } else {
      // A heading, or the first item of a list, ends the paragraph before it.
      const list = BULLET.test(line) || NUMBER.test(line);
      const inList = lines.length > 0 && (BULLET.test(lines[0]!) || NUMBER.test(lines[0]!));
      if (/^#{1,6}\s/.test(line) || (list && !inList) || /^#{1,6}\s/.test(lines[0] ?? "")) flush();
      lines.push(line);
    }
  }
  flush();
  if (fence) out.push(<pre key={out.length} tabIndex={0}>{fence.join("\n")}</pre>);
  return <div class="markdown">{out}</div>;
}
