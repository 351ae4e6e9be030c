/**
 * Messages of D-Bus: calls that are sent, and messages that arrive. The D-Bus specification,
 * "Message Format". Neighbours: dbus_values.ts has the values, dbus_connection.ts the socket.
 */

import { DbusFormatError, DbusReader, type DbusValue, DbusWriter } from "./dbus_values.ts";

const LITTLE_ENDIAN = 0x6c, VERSION = 1;
export const METHOD_CALL = 1, METHOD_RETURN = 2, ERROR = 3, SIGNAL = 4;
/** Header fields. */
const PATH = 1, INTERFACE = 2, MEMBER = 3, ERROR_NAME = 4, REPLY_SERIAL = 5;
const DESTINATION = 6, SIGNATURE = 8;

/** The first part of a message, which has its length. */
export const FIXED_BYTES = 16;
/** LIMIT: bytes of a message, as the specification has it. */
const MESSAGE_MAX = 1 << 27;

export interface Call {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** Of the body. */
  readonly signature: string;
  readonly body: DbusWriter;
}

export function encodeCall(call: Call, serial: number): Uint8Array {
  const body = call.body.bytes(), writer = new DbusWriter();
  writer.u8(LITTLE_ENDIAN).u8(METHOD_CALL).u8(0).u8(VERSION).u32(body.length).u32(serial);
  writer.array(8, () => {
    const field = (code: number, type: "s" | "o" | "g", value: string) =>
      writer.align(8).u8(code).variant({ type, value });
    field(PATH, "o", call.path);
    field(INTERFACE, "s", call.interface);
    field(MEMBER, "s", call.member);
    field(DESTINATION, "s", call.destination);
    if (call.signature !== "") field(SIGNATURE, "g", call.signature);
  });
  return writer.align(8).append(body).bytes();
}

export interface Message {
  readonly type: number;
  readonly serial: number;
  /** Of the call that this answers; 0: none. */
  readonly replySerial: number;
  /** `org.freedesktop.DBus.Error.X`; "" if it is no error. */
  readonly errorName: string;
  readonly member: string;
  readonly body: readonly DbusValue[];
}

/** Bytes of the message that begins with `head`: FIXED_BYTES of them. @throws DbusFormatError */
export function messageBytes(head: Uint8Array): number {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  if (head.length < FIXED_BYTES) throw new DbusFormatError("a message ends within its header");
  if (view.getUint8(0) !== LITTLE_ENDIAN) {
    throw new DbusFormatError("a message is not little-endian");
  }
  const fieldsEnd = FIXED_BYTES + view.getUint32(12, true);
  const total = Math.ceil(fieldsEnd / 8) * 8 + view.getUint32(4, true);
  if (total > MESSAGE_MAX) throw new DbusFormatError(`a message of ${total} bytes`);
  return total;
}

/** @throws DbusFormatError */
export function decodeMessage(bytes: Uint8Array): Message {
  if (messageBytes(bytes) !== bytes.length) {
    throw new DbusFormatError("a message of another length");
  }
  const reader = new DbusReader(bytes);
  const [, type, , , , serial, fields] = reader.readAll("yyyyuua(yv)");
  const byCode = new Map<DbusValue, DbusValue>();
  for (const field of Array.isArray(fields) ? fields : []) {
    if (Array.isArray(field)) byCode.set(field[0], field[1]);
  }
  const text = (code: number) => {
    const value = byCode.get(code);
    return typeof value === "string" ? value : "";
  };
  reader.align(8);
  return {
    type: Number(type),
    serial: Number(serial),
    replySerial: Number(byCode.get(REPLY_SERIAL) ?? 0),
    errorName: text(ERROR_NAME),
    member: text(MEMBER),
    body: reader.readAll(text(SIGNATURE)),
  };
}
