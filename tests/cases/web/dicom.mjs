// Small DICOM files, written byte by byte (explicit little endian).

function element(group, tag, kind, value) {
  let bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value), "latin1");
  if (bytes.length % 2) bytes = Buffer.concat([bytes, Buffer.from(kind === "UI" || kind === "OW" ? "\0" : " ")]);
  const head = Buffer.alloc(kind === "OW" ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(tag, 2);
  head.write(kind, 4, "latin1");
  if (kind === "OW") head.writeUInt32LE(bytes.length, 8);
  else head.writeUInt16LE(bytes.length, 6);
  return Buffer.concat([head, bytes]);
}

const word = (x) => Buffer.from([x & 255, x >> 8]);

/** pixels: Int16Array of rows * columns * (frames) stored values. */
export function dicom({
  rows,
  columns,
  pixels,
  modality = "CT",
  number = 1,
  series = "1.2.3.4",
  seriesNumber = 1,
  patient = "A",
  position = null,
  spacing = null,
  imagerSpacing = null,
  windows = null,
  windowFunction = "",
  photometric = "MONOCHROME2",
  intercept = -1024,
  slope = 1,
  frames = 0,
}) {
  const parts = [
    element(8, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.2"),
    element(8, 0x18, "UI", `${series}.${number}`),
    element(8, 0x60, "CS", modality),
    element(0x10, 0x10, "PN", patient),
    element(0x10, 0x20, "LO", patient),
  ];
  const add = (group, tag, kind, value) => parts.push(element(group, tag, kind, value));
  if (imagerSpacing) add(0x18, 0x1164, "DS", imagerSpacing.join("\\"));
  add(0x20, 0xd, "UI", "1.2.3");
  add(0x20, 0xe, "UI", series);
  add(0x20, 0x11, "IS", seriesNumber);
  add(0x20, 0x13, "IS", number);
  if (position !== null) {
    add(0x20, 0x32, "DS", `0\\0\\${position}`);
    add(0x20, 0x37, "DS", "1\\0\\0\\0\\1\\0");
  }
  add(0x28, 2, "US", word(1));
  add(0x28, 4, "CS", photometric);
  if (frames) add(0x28, 8, "IS", frames);
  add(0x28, 0x10, "US", word(rows));
  add(0x28, 0x11, "US", word(columns));
  if (spacing) add(0x28, 0x30, "DS", spacing.join("\\"));
  for (const [tag, value] of [[0x100, 16], [0x101, 16], [0x102, 15], [0x103, 1]]) add(0x28, tag, "US", word(value));
  if (windows) {
    add(0x28, 0x1050, "DS", windows.map((w) => w[0]).join("\\"));
    add(0x28, 0x1051, "DS", windows.map((w) => w[1]).join("\\"));
  }
  add(0x28, 0x1052, "DS", intercept);
  add(0x28, 0x1053, "DS", slope);
  if (windowFunction) add(0x28, 0x1056, "CS", windowFunction);
  add(0x7fe0, 0x10, "OW", Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength));
  const syntax = element(2, 0x10, "UI", "1.2.840.10008.1.2.1");
  const size = Buffer.alloc(4);
  size.writeUInt32LE(syntax.length);
  return Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), element(2, 0, "UL", size), syntax, ...parts]);
}

/** Stored values with every one of -1024 to 1023 + `shift` among them, where the picture is large enough. */
export function ramp(rows, columns, shift = 0) {
  return Int16Array.from({ length: rows * columns }, (_, i) => ((i * 7 + shift) % 3000) - 100);
}

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; ++bit) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ -1) >>> 0;
}

/** An archive of files that are stored as they are. files: {name, buffer}. */
export function zip(files) {
  const [parts, directory] = [[], []];
  let at = 0;
  for (const { name, buffer } of files) {
    const both = Buffer.alloc(26); // what the local header and the directory have alike
    both.writeUInt16LE(20, 0);
    both.writeUInt32LE(crc32(buffer), 10);
    both.writeUInt32LE(buffer.length, 14);
    both.writeUInt32LE(buffer.length, 18);
    both.writeUInt16LE(name.length, 22);
    const offset = Buffer.alloc(14);
    offset.writeUInt32LE(at, 10);
    directory.push(Buffer.from("PK\x01\x02\x14\0"), both, offset, Buffer.from(name));
    parts.push(Buffer.from("PK\x03\x04"), both, Buffer.from(name), buffer);
    at += 30 + name.length + buffer.length;
  }
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...directory, end]);
}
