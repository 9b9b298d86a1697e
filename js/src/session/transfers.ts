import type { WaitOptions } from "../rpc/deadline.js";
import { inform } from "../report.js";
import { readHeader } from "../wire/chunks.js";
import type { Decoder } from "../wire/decoder.js";
import { HEADER_LENGTH } from "../wire/limits.js";
import { readMessage } from "../wire/messages.js";

/** How far a message of a call has come, in bytes of that message. */
export interface Transfer {
  /** How much of the call was sent; undefined for its response. */
  readonly sent?: number;
  /** How much of the response has arrived; undefined for the call. */
  readonly received?: number;
  readonly total: number;
}

/** Is told of each chunk; what it throws, or rejects with, is reported. */
export type OnTransfer = (transfer: Transfer) => unknown;

/** Options of one call, as a session takes them. */
export interface TransferOptions extends WaitOptions {
  /**
   * Called for each chunk of the call that was sent, and of the response that has arrived: several times a second where they are large, and
   * once each where they are small.
   */
  readonly onTransfer?: OnTransfer | undefined;
}

/** In so many bytes a response has told the id of its call. */
const BEGIN = 4096;

/** How far the responses have come that somebody wants to know of. */
export class Transfers {
  readonly #decoder: Decoder;
  readonly #calls = new Map<string, OnTransfer>();
  /** Responses that have begun to arrive, by the id of their message. */
  readonly #underWay = new Map<number, { readonly call: string; received: number }>();

  constructor(decoder: Decoder) {
    this.#decoder = decoder;
  }

  /** Tells of the response to the call `id`, until `over` has settled. */
  watch(id: string, onTransfer: OnTransfer, over: Promise<unknown>): void {
    this.#calls.set(id, onTransfer);
    const forget = (): void => this.#forget(id);
    over.then(forget, forget);
  }

  /** A chunk has arrived that completes no message. */
  arrived(frame: Uint8Array): void {
    if (this.#calls.size === 0 || frame.length <= HEADER_LENGTH) return;
    const { id, offset, total } = readHeader(frame);
    const call = offset === 0 ? this.#callOf(frame) : this.#underWay.get(id)?.call;
    if (call === undefined || !this.#calls.has(call)) return;
    const before = offset === 0 ? 0 : (this.#underWay.get(id)?.received ?? 0);
    const received = before + frame.length - HEADER_LENGTH;
    this.#underWay.set(id, { call, received });
    inform(this.#calls.get(call), { received, total });
  }

  /** The last chunk of the response to the call `id` has arrived. */
  completed(id: string, frame: Uint8Array): void {
    const { total } = readHeader(frame);
    inform(this.#calls.get(id), { received: total, total });
    this.#forget(id);
  }

  #callOf(frame: Uint8Array): string | undefined {
    const begin = readMessage(this.#decoder, frame.subarray(HEADER_LENGTH, HEADER_LENGTH + BEGIN));
    return "id" in begin ? begin.id : undefined;
  }

  #forget(id: string): void {
    if (!this.#calls.delete(id)) return;
    for (const [number, { call }] of this.#underWay) if (call === id) this.#underWay.delete(number);
  }
}
