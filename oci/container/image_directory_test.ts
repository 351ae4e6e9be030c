import { assertEquals, assertThrows } from "@std/assert";
import { SEEK_SET } from "../../ffi/abi/fs.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { close, lseek, read, write } from "../../ffi/sys/files.ts";
import { UserError } from "../user_error.ts";
import { NewImage, openImage, openImageFile } from "./image_directory.ts";

function inDirectory(test: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync({ prefix: "dvisor-image-" });
  try {
    test(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

const names = (directory: string) =>
  [...Deno.readDirSync(directory)].map(({ name }) => name).sort();

function put(fd: number, byte: number): void {
  const bytes = allocBuffer(1);
  bytes[0] = byte;
  assertEquals(write(fd, addressOf(bytes), 1), 1);
}

function firstByte(fd: number): number | undefined {
  const bytes = allocBuffer(1);
  assertEquals([lseek(fd, 0, SEEK_SET), read(fd, addressOf(bytes), 1)], [0, 1]);
  return bytes[0];
}

Deno.test("a snapshot has no name before it is published, and replaces an earlier one then", () => {
  inDirectory((directory) => {
    const path = `${directory}/deep/image`;
    for (const byte of [1, 2]) {
      const image = NewImage.inDirectory(path);
      put(image.fd, byte);
      assertEquals(firstByte(image.fd), byte);
      if (byte === 1) assertThrows(() => openImage(path), UserError, "has no checkpoint of dvisor");
      image.publish();
      image.close();
      assertEquals(names(path), ["dvisor.dvsnap", "inventory.img"]);
      const fd = openImage(path);
      assertEquals(firstByte(fd), byte);
      close(fd);
    }
    assertEquals(Deno.statSync(`${path}/dvisor.dvsnap`).mode! & 0o777, 0o600);
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o700);
  });
});

Deno.test("a snapshot that is discarded leaves nothing, and an earlier one as it was", () => {
  inDirectory((directory) => {
    const path = `${directory}/image`;
    NewImage.inDirectory(path).discard();
    assertEquals(names(directory), []);
    const first = NewImage.inDirectory(path);
    put(first.fd, 1);
    first.publish();
    first.close();
    NewImage.inDirectory(path).discard();
    const fd = openImage(path);
    assertEquals(firstByte(fd), 1);
    close(fd);
  });
});

Deno.test("a snapshot has a file anywhere, in place of a regular file alone", () => {
  inDirectory((directory) => {
    const path = `${directory}/${"long name ".repeat(25)}`;
    for (const byte of [1, 2]) {
      const image = NewImage.at(path);
      put(image.fd, byte);
      assertEquals([image.path, names(directory).length], [path, byte - 1]);
      image.publish();
      image.close();
      const fd = openImageFile(path);
      assertEquals(firstByte(fd), byte);
      close(fd);
    }
    NewImage.at(path).discard();
    assertEquals(names(directory), [path.slice(directory.length + 1)]);
    for (const other of ["/dev/null", directory]) {
      assertThrows(() => NewImage.at(other), UserError, `${other} is no regular file`);
    }
    assertThrows(() => NewImage.at(`${directory}/`), UserError, "expected the path of a file");
    assertThrows(() => NewImage.at(`${directory}/a/b`), UserError, `--image-file: cannot open`);
    assertThrows(() => openImageFile(`${directory}/a`), UserError, "no such file or directory");
  });
});

Deno.test("a place where no snapshot can be is named", () => {
  inDirectory((directory) => {
    Deno.writeTextFileSync(`${directory}/file`, "");
    assertThrows(() => NewImage.inDirectory(`${directory}/file`), UserError, "--image-path");
    assertThrows(() => openImage(`${directory}/missing`), UserError, "no such file or directory");
    assertThrows(() => openImage(directory), UserError, `${directory} has no checkpoint`);
    Deno.mkdirSync(`${directory}/taken/dvisor.dvsnap`, { recursive: true });
    const image = NewImage.inDirectory(`${directory}/taken`);
    assertThrows(() => image.publish(), UserError, "is a directory");
    image.discard();
    assertEquals(names(`${directory}/taken`), ["dvisor.dvsnap"]);
  });
});
