// Puts texts of the chosen language in place of those in the page, whole and as they are. Tooltips
// and placeholders only of the very nodes that are added, not of what lies below them.

const EMOJI = /\p{Extended_Pictographic}/u;

function hasLocalization() {
    return Object.keys(window.localization || {}).length > 0;
}

function getTranslation(text) {
    return text ? window.localization[text] : undefined;
}

function processTextNode(node) {
    const text = node.textContent.trim();
    const parent = node.parentElement;
    if (!text || !parent || EMOJI.test(text) || /^[.\d]+$/.test(text)) return;
    if (['SCRIPT', 'STYLE', 'TEXTAREA'].includes(parent.nodeName)) return;
    const translation = getTranslation(text);
    if (translation !== undefined) node.textContent = translation;
}

function processNode(node) {
    if (node.nodeType === Node.TEXT_NODE) {
        processTextNode(node);
        return;
    }
    for (const name of ['title', 'placeholder']) {
        const translation = getTranslation(node[name]);
        if (translation !== undefined) node[name] = translation;
    }
    const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) processTextNode(texts.currentNode);
}

document.addEventListener('DOMContentLoaded', function() {
    if (!hasLocalization()) return;
    onUiUpdate(mutations => {
        for (const mutation of mutations) mutation.addedNodes.forEach(processNode);
    });
    processNode(gradioApp());
});
