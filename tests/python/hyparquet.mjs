// Reads a Parquet file with hyparquet and prints its rows, one JSON array a line.
// Arguments: the directory with hyparquet, the file, and as JSON the columns and, if some rows alone are wanted, their first and last id.
import { openSync, readSync, fstatSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [, , home, path, wanted] = process.argv
const load = name => import(pathToFileURL(createRequire(home + '/').resolve(name)))
const { parquetReadObjects } = await load('hyparquet')
const { compressors } = await load('hyparquet-compressors')

const descriptor = openSync(path)
const file = {
  byteLength: fstatSync(descriptor).size,
  slice(start, end = this.byteLength) {
    const bytes = new Uint8Array(end - start)
    readSync(descriptor, bytes, 0, bytes.length, start)
    return bytes.buffer
  },
}

// A Date has milliseconds; these are nanoseconds.
const parsers = {
  timestampFromMilliseconds: ms => ms * 1_000_000n,
  timestampFromMicroseconds: us => us * 1_000n,
  timestampFromNanoseconds: ns => ns,
}
const { columns, between } = JSON.parse(wanted)
const filter = between && { id: { $gte: BigInt(between[0]), $lte: BigInt(between[1]) } }
const rows = await parquetReadObjects({
  file, compressors, parsers, columns, filter, utf8: false, useOffsetIndex: true, usePageIndex: true,
})

// What JSON does not have.
function tagged(key, value) {
  if (typeof value === 'bigint') return { $int: value.toString() }
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('hex') }
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { $float: Object.is(value, -0) ? '-0.0' : value.toString() }
  }
  return ArrayBuffer.isView(value) ? Array.from(value) : value
}
for (const row of rows) console.log(JSON.stringify(columns.map(name => row[name]), tagged))
