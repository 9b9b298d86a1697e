// Tells the benchmark what a page found, or why it did not.
const report = (figures) => fetch("/", { method: "POST", body: JSON.stringify(figures) });
addEventListener("error", ({ message }) => report({ error: message }));
addEventListener("unhandledrejection", ({ reason }) => report({ error: String(reason) }));
