import type { WaitOptions } from "../rpc/deadline.js";
import { inform } from "../report.js";
import { readHeader } from "../wire/chunks.js";
import type { Decoder } from "../wire/decoder.js";
import { HEADER_LENGTH } from "../wire/limits.js";
import { readMessage } from "../wire/messages.js";

/** The progress of the transfer of a call's message, in bytes. */
export interface Transfer {
  /** Bytes of the call that were sent; undefined for its response. */
  readonly sent?: number;
  /** Bytes of the response that have arrived; undefined for the call. */
  readonly received?: number;
  readonly total: number;
}

/** Called for each chunk. What it throws, or rejects with, is reported. */
export type OnTransfer = (transfer: Transfer) => unknown;

/** Options of one call, as a session takes them. */
export interface TransferOptions extends WaitOptions {
  /**
   * Called for each chunk of the call that was sent, and of the response that has arrived: several times a second if they are large, and
   * once each if they are small.
   */
  readonly onTransfer?: OnTransfer | undefined;
}

/** The id of a response's call is within this many bytes. */
const BEGIN = 4096;

/** The responses whose progress is reported. */
export class Transfers {
  readonly #decoder: Decoder;
  readonly #calls = new Map<string, OnTransfer>();
  /** Responses that have begun to arrive, by the id of their message. */
  readonly #underWay = new Map<number, { readonly call: string; received: number }>();

  constructor(decoder: Decoder) {
    this.#decoder = decoder;
  }

  /** Reports the response to the call `id`, until `over` has settled. */
  watch(id: string, onTransfer: OnTransfer, over: Promise<unknown>): void {
    this.#calls.set(id, onTransfer);
    const forget = (): void => this.#forget(id);
    over.then(forget, forget);
  }

  /** A chunk has arrived that does not complete a message. */
  arrived(frame: Uint8Array): void {
    if (this.#calls.size === 0 || frame.length <= HEADER_LENGTH) return;
    const { id, offset, total } = readHeader(frame);
    const call = offset === 0 ? this.#callOf(frame) : this.#underWay.get(id)?.call;
    if (call === undefined || !this.#calls.has(call)) return;
    const before = offset === 0 ? 0 : (this.#underWay.get(id)?.received ?? 0);
    const received = before + frame.length - HEADER_LENGTH;
    this.#underWay.set(id, { call, received });
    void inform(this.#calls.get(call), { received, total });
  }

  /** The last chunk of the response to the call `id` has arrived. */
  completed(id: string, frame: Uint8Array): void {
    const { total } = readHeader(frame);
    void inform(this.#calls.get(id), { received: total, total });
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
