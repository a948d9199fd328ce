// A browser shows a notebook that is opened from the disk instead of saving it, and a page from the disk may not read
// other files, except as scripts. So beside each notebook lies a script that hands its content to saveNotebook.
window.saveNotebook = (name, notebook) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(notebook, null, 1)], { type: "application/x-ipynb+json" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
};

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.btn-download-source-button");
  if (!link || location.protocol !== "file:" || !link.href.endsWith(".ipynb")) return;
  event.preventDefault();
  const script = document.createElement("script");
  script.src = `${link.href}.js`;
  document.head.append(script);
});

// The bibliography is announced as a list whose entries are not list items; it reads better as plain paragraphs.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".citation-list").forEach((list) => list.removeAttribute("role"));
});
