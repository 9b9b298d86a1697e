// A checker for Stryker that lets a share of the mutants through, chosen by their ids and a seed; the others count as
// "not in the sample". `besides` names samples that had their turn. scripts/mutation.py chooses the same.
import { createHash } from "node:crypto";
import { PluginKind, commonTokens, declareClassPlugin, tokens } from "@stryker-mutator/api/plugin";

class Sample {
  static inject = tokens(commonTokens.options);

  constructor(options) {
    this.sample = options.sample;
  }

  async init() {}

  chosen(id) {
    const { seed, share, besides } = this.sample;
    const inSample = (seed, share) => createHash("sha256").update(`${seed}:${id}`).digest().readUInt32BE(0) < share * 2 ** 32;
    return !besides.some((text) => inSample(...text.split(":"))) && inSample(seed, share);
  }

  async check(mutants) {
    const left = { status: "compileError", reason: "not in the sample" };
    return Object.fromEntries(mutants.map(({ id }) => [id, this.chosen(id) ? { status: "passed" } : left]));
  }

  async group(mutants) {
    return [mutants.map(({ id }) => id)];
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Checker, "sample", Sample)];
