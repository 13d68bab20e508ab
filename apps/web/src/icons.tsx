// Line icons of 24 by 24; they stand beside text or in labelled buttons, so screen readers skip them.
const paths = {
  check: "M5 12.5l4.5 4.5L19 7.5",
  flag: "M12 4L2.8 19.5h18.4L12 4zM12 10v4.5M12 17.2v.1",
  note: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5M12 7.8v.1",
  none: "M6 12h12",
  edit: "M4 20l1-4L16.5 4.5l3 3L8 19l-4 1zM14 7l3 3",
  undo: "M8 6L4 10l4 4M4 10h10a5.5 5.5 0 0 1 0 11h-3",
  close: "M6 6l12 12M18 6L6 18",
  left: "M14.5 5l-7 7 7 7",
  right: "M9.5 5l7 7-7 7",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  upload: "M12 16V4M7 9l5-5 5 5M4 15v5h16v-5",
  file: "M6 3h8l5 5v13H6zM14 3v5h5",
  chat: "M4 5h16v11H10l-5 4v-4H4z",
  server: "M4 4h16v6H4zM4 14h16v6H4zM8 7v.1M8 17v.1",
  image: "M4 5h16v14H4zM4 16l4.5-4.5L13 16l3-3 4 4M15.5 9v.1",
  send: "M4 12l16-8-6 16-3-7z",
  stop: "M7 7h10v10H7z",
  again: "M19 12a7 7 0 1 1-2.2-5.1M19 3v5h-5",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  sun: "M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  key: "M14.5 13.5a5 5 0 1 0-4.2-2.3L4 17.5V20h2.5l.8-2h2v-2h2l1.2-1.7M15.5 8.5v.1",
  contrast: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18M12 7h6M12 11h8M12 15h7",
  move: "M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3",
  ruler: "M3 16L16 3l5 5L8 21zM7 12l2 2M10 9l2 2M13 6l2 2",
  angle: "M4 20h16M4 20L15 5M11 20a7 7 0 0 0-2.8-5.6",
  link: "M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 6 6l1-1",
};

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
