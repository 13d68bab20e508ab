// NIfTI volumes and whole slides, written byte by byte.

/** int16 values in the order in which they are stored: i fastest, to the right, the front and the head. */
export function nifti({ shape: [i, j, k], values, spacing = [1, 1, 1], slope = 1, intercept = 0 }) {
  const bytes = Buffer.alloc(352 + 2 * values.length);
  bytes.writeInt32LE(348, 0);
  [3, i, j, k, 1, 1, 1, 1].forEach((n, at) => bytes.writeInt16LE(n, 40 + 2 * at));
  bytes.writeInt16LE(4, 70);
  bytes.writeInt16LE(16, 72);
  [1, ...spacing, 1, 1, 1, 1].forEach((x, at) => bytes.writeFloatLE(x, 76 + 4 * at));
  [352, slope, intercept].forEach((x, at) => bytes.writeFloatLE(x, 108 + 4 * at));
  bytes[123] = 2;
  bytes.writeInt16LE(1, 254);
  spacing.forEach((x, row) => bytes.writeFloatLE(x, 280 + 20 * row));
  bytes.write("n+1\0", 344, "latin1");
  values.forEach((x, at) => bytes.writeInt16LE(x, 352 + 2 * at));
  return bytes;
}

/** A pyramid of tiles that are not compressed, as Aperio's scanners name it; colour(x, y) of level 0. */
export function slide({ width, height, shrinks = [1, 4], tile = 256, um = 0.5, colour }) {
  const parts = [];
  let length = 0;
  const put = (data) => {
    if (length % 2) parts.push(Buffer.alloc(1)), ++length;
    parts.push(data);
    length += data.length;
    return length - data.length;
  };
  const numbers = (size, ...values) => {
    const data = Buffer.alloc(size * values.length);
    values.forEach((x, i) => (size === 2 ? data.writeUInt16LE(x, 2 * i) : data.writeUInt32LE(x, 4 * i)));
    return data;
  };
  const head = Buffer.from("II*\0\0\0\0\0", "latin1");
  put(head);
  let [link, linkAt] = [head, 4];
  for (const shrink of shrinks) {
    const [w, h] = [Math.floor(width / shrink), Math.floor(height / shrink)];
    const offsets = [];
    for (let ty = 0; ty < h; ty += tile)
      for (let tx = 0; tx < w; tx += tile) {
        const data = Buffer.alloc(3 * tile * tile);
        for (let y = 0; y < tile; ++y)
          for (let x = 0; x < tile; ++x) colour((tx + x) * shrink, (ty + y) * shrink).forEach((value, c) => (data[3 * (y * tile + x) + c] = value));
        offsets.push(put(data));
      }
    const n = offsets.length;
    const [at, counts] = n > 1 ? [put(numbers(4, ...offsets)), put(numbers(4, ...offsets.map(() => 3 * tile * tile)))] : [offsets[0], 3 * tile * tile];
    const bits = put(numbers(2, 8, 8, 8));
    const text = Buffer.from(`Aperio Image Library v11.2.1 \r\n${width}x${height} [0,0 ${width}x${height}] (${tile}x${tile}) None|AppMag = 20|MPP = ${um}\0`);
    const tags = [
      [254, 4, 1, shrink > 1 ? 1 : 0], [256, 4, 1, w], [257, 4, 1, h], [258, 3, 3, bits], [259, 3, 1, 1], [262, 3, 1, 2], [270, 2, text.length, put(text)],
      [277, 3, 1, 3], [284, 3, 1, 1], [322, 4, 1, tile], [323, 4, 1, tile], [324, 4, n, at], [325, 4, n, counts],
    ];
    const directory = Buffer.concat([numbers(2, tags.length), ...tags.map(([tag, type, count, value]) => Buffer.concat([numbers(2, tag, type), numbers(4, count, value)])), numbers(4, 0)]);
    link.writeUInt32LE(put(directory), linkAt);
    [link, linkAt] = [directory, directory.length - 4];
  }
  return Buffer.concat(parts);
}
