/** A folder in which the packages are installed, as a user's project has them. Not a test. */

import { ROOT } from "../harness/dvisor.ts";
import { writePackages } from "../../tools/package/npm.ts";
import { npm } from "./runtimes.ts";

/** What is copied beside the packages, so that a script there imports "dvisor". */
const SUITE = { "suite.mjs": "suite.ts", "script.mjs": "script.ts" };

/** The folder in it with the packages. */
export const ARCHIVES = "archives";

/** Makes the folder, in `dist/`, which other users may read. */
export async function installedApp(): Promise<string> {
  const app = await Deno.makeTempDir({ dir: `${ROOT}/dist`, prefix: "package-test-" });
  await Deno.chmod(app, 0o755);
  await Deno.mkdir(`${app}/${ARCHIVES}`);
  const names = await writePackages(ROOT, `${app}/${ARCHIVES}`, `${ROOT}/dist/dvisor`);
  const archives = names.map((name) => `./${ARCHIVES}/${name}`);
  const manifest = { name: "app", private: true, type: "module" };
  await Deno.writeTextFile(`${app}/package.json`, JSON.stringify(manifest));
  const problem = await npm(app, "install", "--offline", ...archives);
  if (problem !== null) throw new Error(`npm install: ${problem}`);
  await Deno.copyFile(`${ROOT}/tests/library/runner.mjs`, `${app}/runner.mjs`);
  for (const [name, source] of Object.entries(SUITE)) {
    const args = ["bundle", "--quiet", `${ROOT}/tests/library/${source}`, "-o", `${app}/${name}`];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    if (!success) throw new Error(`deno bundle: ${new TextDecoder().decode(stderr)}`);
  }
  return app;
}
