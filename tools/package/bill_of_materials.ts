/** What the executable is made of, in CycloneDX 1.6: for scanners that look for known faults. */

import { encodeHex } from "@std/encoding";
import { readProject } from "./library_tree.ts";

const MIT = "MIT";

interface Component {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly purl: string;
  readonly description: string;
}

/** Deno, of whose executable each release is made, and what it has inside. */
function runtime(): Component[] {
  const { deno, v8 } = Deno.version;
  return [
    {
      name: "deno",
      version: deno,
      license: MIT,
      purl: `pkg:github/denoland/deno@v${deno}`,
      description: "The runtime, as its project publishes it, with the crates that it names",
    },
    {
      name: "v8",
      version: v8,
      license: "BSD-3-Clause",
      purl: `pkg:generic/v8@${v8}`,
      description: "The engine for JavaScript, in the runtime",
    },
  ];
}

/** The packages of deno.json that are in the executable: all but those that tests alone use. */
async function packages(root: string): Promise<Component[]> {
  const { imports } = await readProject(root);
  const isStandIn = await Deno.stat(`${root}/vendor/stand_ins.txt`).then(() => true, () => false);
  return Object.entries(imports).filter(([name]) => name !== "@std/assert")
    .map(([name, specifier]) => {
      const version = specifier.slice(specifier.lastIndexOf("@") + 1);
      return {
        name,
        version,
        license: isStandIn ? "Apache-2.0" : MIT,
        purl: `pkg:generic/${encodeURIComponent(name)}@${version}`,
        description: isStandIn ? "A stand-in with the same functions" : "A package of JSR",
      };
    });
}

/** The text of the list. @param binary the path of the executable */
export async function billOfMaterials(root: string, binary: string): Promise<string> {
  const { version, license } = await readProject(root);
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(binary));
  const components = [...runtime(), ...await packages(root)];
  const described = components.map(({ license, ...component }) => ({
    type: component.name === "deno" ? "platform" : "library",
    "bom-ref": component.purl,
    ...component,
    licenses: [{ license: { id: license } }],
  }));
  const ref = `pkg:generic/dvisor@${version}`;
  const list = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": ref,
        name: "dvisor",
        version,
        purl: ref,
        licenses: [{ license: { id: license } }],
        hashes: [{ alg: "SHA-256", content: encodeHex(new Uint8Array(digest)) }],
      },
    },
    components: described,
    dependencies: [{ ref, dependsOn: components.map(({ purl }) => purl) }],
  };
  return `${JSON.stringify(list, null, 2)}\n`;
}
