// Texts in the page's language where the host's own pass does not get: attributes inside HTML that
// is replaced, texts with an emoji, and sentences with a name or a number in them. Those stand in
// localizations/*.json with {} for each such part; the translation has {1}, {2} … for them.
/* global fabricUi, localization */

fabricUi.translate = (function() {
    const ATTRIBUTES = ['title', 'aria-label', 'alt', 'placeholder'];
    const OURS = '[id*="_fabric_"], [data-fabric-thumbs]';
    // Where the host shows what the server said.
    const MESSAGES = '.toast-wrap, [id^="html_log_"]';
    const ERROR = /^((?:Fabric|UnsupportedModel)Error: )(.*)$/s;

    let patterns = null;

    function escapeForPattern(text) {
        return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    }

    function preparePatterns() {
        patterns = Object.entries(window.localization || {})
            .filter(([key, text]) => key.includes('{}') && typeof text === 'string')
            .map(([key, text]) => [key.split('{}').map(escapeForPattern).join('(.*?)'), text])
            // The most particular first.
            .sort((first, second) => second[0].length - first[0].length)
            .map(([pattern, text]) => [new RegExp(`^${pattern}$`, 's'), text]);
    }

    function translate(text) {
        const exact = window.localization?.[text];
        if (typeof exact === 'string') return exact;
        if (!patterns) preparePatterns();
        for (const [pattern, translation] of patterns) {
            const parts = pattern.exec(text);
            if (parts) {
                return translation.replace(/\{(\d)\}/g, (all, number) => {
                    return parts[number] === undefined ? all : translate(parts[number]);
                });
            }
        }
        const error = ERROR.exec(text);
        return error ? error[1] + translate(error[2]) : text;
    }

    function translateText(node) {
        const text = node.textContent.trim();
        const translation = text && translate(text);
        if (translation && translation !== text) node.textContent = translation;
    }

    function translateAttributes(element) {
        for (const name of ATTRIBUTES) {
            const text = element.getAttribute(name);
            const translation = text && translate(text);
            if (translation && translation !== text) element.setAttribute(name, translation);
        }
    }

    function translateUnder(root) {
        if (root.nodeType === Node.TEXT_NODE) return translateText(root);
        if (root.nodeType !== Node.ELEMENT_NODE) return;
        const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
        for (let node = root; node; node = nodes.nextNode()) {
            if (node.nodeType === Node.TEXT_NODE) translateText(node);
            else translateAttributes(node);
        }
    }

    function isOurs(node) {
        const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
        return Boolean(element?.closest(OURS) || element?.closest(MESSAGES));
    }

    function translatePage() {
        if (!Object.keys(window.localization || {}).length) return;
        gradioApp().querySelectorAll(OURS).forEach(translateUnder);
        onUiUpdate(mutations => {
            for (const mutation of mutations) mutation.addedNodes.forEach(node => {
                if (isOurs(node)) translateUnder(node);
                else node.querySelectorAll?.(OURS).forEach(translateUnder);
            });
        });
    }

    onUiLoaded(translatePage);

    return translate;
})();
