import htm from "htm";
import { h } from "preact";

/** Templates for Preact. @type {(strings: TemplateStringsArray, ...values: any[]) => any} */
export const html = htm.bind(h);
