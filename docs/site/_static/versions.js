// Lists the versions that lie beside this one on the same host. A copy that stands alone shows no list.
const root = new URL(document.documentElement.dataset.content_root ?? "./", location.href);
const label = document.querySelector("label.versions");
fetch(new URL("../versions.json", root))
  .then((response) => (response.ok ? response.json() : []))
  .then((versions) => {
    if (!label || versions.length === 0) return;
    const select = label.querySelector("select");
    const current = root.pathname.split("/").at(-2);
    for (const name of versions) select.add(new Option(name, name, name === current, name === current));
    select.addEventListener("change", () => {
      const page = location.pathname.slice(root.pathname.length);
      const there = new URL(`../${select.value}/${page}`, root);
      // A page that an older version does not have: its first page.
      fetch(there, { method: "HEAD" }).then(({ ok }) => {
        location.href = ok ? there.href : new URL(`../${select.value}/`, root).href;
      });
    });
    label.hidden = false;
  })
  .catch(() => undefined);
