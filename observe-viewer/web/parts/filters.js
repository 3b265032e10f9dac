import { html } from "../lib/html.js";

/** @import { Page } from "../lib/types.js" */

/** What the list is narrowed to; each can be taken away. @param {{ filter: Record<string, string | null>, path: (q: any) => string }} props */
export const Filters = ({ filter, path }) => html`<span class="filters">
  ${["project", "session"].filter((name) => filter[name]).map((name) => html`<a class="chip" title="Show all again"
    href=${path({ ...filter, [name]: null, after: null })}>${name} <b>${filter[name]}</b> ×</a>`)}
</span>`;

/** Links to the newest and to older rows. @param {{ page: Page<unknown>, filter: Record<string, string | null>, path: (q: any) => string }} props */
export const Pager = ({ page, filter, path }) =>
  page.next || filter.after
    ? html`<nav class="pager" aria-label="Pages">
        ${filter.after && html`<a href=${path({ ...filter, after: null })}>Newest</a>`}
        ${page.next && html`<a rel="next" href=${path({ ...filter, after: page.next })}>Older</a>`}
      </nav>`
    : null;
