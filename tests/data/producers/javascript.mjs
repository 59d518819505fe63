// Writes the fixtures that JavaScript libraries make, each with the library itself. README.md tells how to run this.

import { readFileSync, writeFileSync, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Encoder, ExtensionCodec, encode } from "@msgpack/msgpack";
import { Packr, FLOAT32_OPTIONS } from "msgpackr";

const [here] = process.argv.slice(2);
const require = createRequire(import.meta.url);

// Numbers below 1, the same for the same seed.
function random(count, seed = 7) {
  return Array.from({ length: count }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 31 - 1;
  });
}

const special = [NaN, -0, 2 ** -149, -(2 ** -127), Infinity, -Infinity, (2 - 2 ** -23) * 2 ** 127, 0.1];
const doubles = [[...special, ...random(8)], random(16, 8), [1 + 2 ** -24, 1 + 2 ** -24 + 2 ** -50, 2 ** 128 - 2 ** 103 - 2 ** 75, ...random(13, 9)]];
const rows = doubles.map((row) => Float32Array.from(row));
// What JavaScript calls numbers: whole ones are written as integers.
const plain = doubles.map((row) => [0, 1, -1, -0, 2 ** 24 - 1, -(2 ** 40), 300, 0.5, ...row.slice(8)]);

// Of every type the least and the largest that a float32 can be, and some in between.
const integers = (Type, least, largest) => Type.of(least, largest, 0, 1, 100, 7, 99, 3);
const typed = {
  i8: integers(Int8Array, -128, 127),
  u8: integers(Uint8Array, 0, 255),
  "u8-clamped": integers(Uint8ClampedArray, 0, 255),
  i16: integers(Int16Array, -(2 ** 15), 2 ** 15 - 1),
  u16: integers(Uint16Array, 0, 2 ** 16 - 1),
  i32: integers(Int32Array, -(2 ** 31), 2 ** 31 - 2 ** 7),
  u32: integers(Uint32Array, 0, 2 ** 32 - 2 ** 8),
  f32: rows[0],
  f64: Float64Array.from(doubles[2]),
  i64: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 2n ** 39n, 0n, 1n, -1n, 2n ** 53n, 2n ** 24n - 1n, 5n),
  u64: BigUint64Array.of(0n, 2n ** 64n - 2n ** 40n, 2n ** 63n, 1n, 2n ** 53n, 2n ** 24n - 1n, 3n, 5n),
};

const records = rows.map((vector, n) => ({ id: n, score: n / 2, when: new Date(1.7e12 + 123 * n), note: n ? null : `note ${n}`, vector }));

// The codec of @msgpack/msgpack's README for arrays that need no copy: as many bytes as the first one says come before them.
const aligned = new ExtensionCodec();
aligned.register({
  type: 0,
  encode: (object) => {
    if (!(object instanceof Float32Array)) return null;
    return (position) => {
      const size = Float32Array.BYTES_PER_ELEMENT;
      const padding = 1 + ((size - ((position + 1) % size)) % size);
      const data = new Uint8Array(padding + object.byteLength);
      data[0] = padding;
      data.set(new Uint8Array(object.buffer, object.byteOffset, object.byteLength), padding);
      return data;
    };
  },
  decode: (data) => new Float32Array(data.buffer, data.byteOffset + data[0], (data.byteLength - data[0]) / 4),
});

const stream = (pack, objects) => Buffer.concat(objects.map((object) => Buffer.from(pack(object))));
const packr = new Packr({ moreTypes: true, useRecords: false });

const packrRecords = new Packr({ moreTypes: true, useRecords: true });

const manifest = [];

// Writes what `how` gives. The manifest has its source.
function write(file, producer, how, { read = {}, refused = null } = {}) {
  writeFileSync(join(here, file), how());
  let folder = dirname(require.resolve(producer));
  while (!existsSync(join(folder, "package.json")) || !JSON.parse(readFileSync(join(folder, "package.json"))).version) folder = dirname(folder);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json")));
  manifest.push({ file, producer, version, how: how.toString().replace(/^\(\) => /, ""), read, refused });
}

write("js-float32array.msgpack", "@msgpack/msgpack", () => stream(encode, rows));
write("js-float64array.msgpack", "@msgpack/msgpack", () => stream(encode, [typed.f64]), { read: { raw_dtype: "<f8" } });
write("js-numbers.msgpack", "@msgpack/msgpack", () => stream(encode, plain));
write("js-force-float32.msgpack", "@msgpack/msgpack", () => stream((row) => encode(row, { forceFloat32: true }), plain));
write("js-force-integer-to-float.msgpack", "@msgpack/msgpack", () => stream((row) => encode(row, { forceIntegerToFloat: true }), plain));
write("js-maps.msgpack", "@msgpack/msgpack", () => stream(encode, records));
write("js-undefined.msgpack", "@msgpack/msgpack", () => stream(encode, records.map((record) => ({ ...record, note: undefined }))));
write("js-maps.array.msgpack", "@msgpack/msgpack", () => encode(records));
write("js-aligned.msgpack", "@msgpack/msgpack", () => stream((row) => encode(row, { extensionCodec: aligned }), rows));
write("js-aligned-maps.msgpack", "@msgpack/msgpack", () => stream((row) => new Encoder({ extensionCodec: aligned }).encode(row), records));

for (const name of Object.keys(typed)) {
  const how = eval(`() => packr.pack(typed["${name}"])`);
  write(`msgpackr-${name}.msgpack`, "msgpackr", how);
}
write("msgpackr-f32-stream.msgpack", "msgpackr", () => stream((row) => packr.pack(row), rows));
write("msgpackr-maps.msgpack", "msgpackr", () => stream((record) => packr.pack(record), records));
write("msgpackr-undefined.msgpack", "msgpackr", () => stream((record) => packr.pack(record), records.map((record) => ({ ...record, note: undefined }))));
write("msgpackr-undefined-and-text.msgpack", "msgpackr", () => stream((record) => packr.pack(record), records.map((record) => ({ ...record, note: record.note ?? undefined }))));
write("msgpackr-numbers.msgpack", "msgpackr", () => stream((row) => new Packr({ useRecords: false }).pack(row), plain));
write("msgpackr-use-float32.msgpack", "msgpackr", () => stream((row) => new Packr({ useFloat32: FLOAT32_OPTIONS.ALWAYS }).pack(row), plain));
write("msgpackr-decimal.msgpack", "msgpackr", () => stream((row) => new Packr({ useFloat32: FLOAT32_OPTIONS.DECIMAL_FIT }).pack(row), plain));
write("msgpackr-records.msgpack", "msgpackr", () => stream((record) => packrRecords.pack(record), records), { refused: "record definition of msgpackr" });

const path = join(here, "manifest.json");
const entries = new Map((existsSync(path) ? JSON.parse(readFileSync(path)) : []).concat(manifest).map((entry) => [entry.file, entry]));
const ordered = [...entries.keys()].sort().map((file) => entries.get(file));
writeFileSync(path, JSON.stringify(ordered, null, 2) + "\n");
