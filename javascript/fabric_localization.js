// Owns: texts in the page's language where the host's own pass does not get: attributes inside HTML that
// is replaced, texts with an emoji, and sentences with a name or a number in them. Those stand in
// localizations/*.json with {} for each such part; the translation has {1}, {2} … for them.

(window.fabricParts ??= {}).localization = () => {
    const ATTRIBUTES = ['title', 'aria-label', 'alt', 'placeholder'];
    const OURS = '[id*="_fabric_"], [data-fabric-thumbs]';
    // Where the host shows what the server said.
    const MESSAGES = '.toast-wrap, [id^="html_log_"]';
    // What a user wrote is not ours to translate, though it may read like one of our words.
    const THEIRS = '[translate="no"]';
    const PREFIX = /^((?:Fabric|UnsupportedModel)Error: |(?:dis)?liked\[\d+\](?:\.image)?: )(.+)$/s;

    let patterns = null;

    function escapeForPattern(text) {
        return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    }

    function preparePatterns() {
        patterns = Object.entries(window.localization || {})
            .filter(([key, text]) => key.includes('{}') && typeof text === 'string')
            .map(([key, text]) => [key.split('{}').map(escapeForPattern).join('(.+?)'), text])
            // The most particular first.
            .sort((first, second) => second[0].length - first[0].length)
            .map(([pattern, text]) => [new RegExp(`^${pattern}$`, 'i'), text]);
    }

    function translate(text) {
        const texts = window.localization || {};
        // Notes begin with a capital letter where the same sentence in an error does not.
        const exact = texts[text] ?? texts[text.slice(0, 1).toLowerCase() + text.slice(1)];
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
        const prefixed = PREFIX.exec(text);
        return prefixed ? prefixed[1] + translate(prefixed[2]) : text;
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
        const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
        for (let node = root; node; node = nodes.nextNode()) {
            if (isTheirs(node)) continue;
            if (node.nodeType === Node.TEXT_NODE) translateText(node);
            else if (node.nodeType === Node.ELEMENT_NODE) translateAttributes(node);
        }
    }

    function isTheirs(node) {
        return Boolean(elementOf(node)?.closest(THEIRS));
    }

    function elementOf(node) {
        return node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    }

    function isOurs(node) {
        const element = elementOf(node);
        return Boolean(element?.closest(OURS) || element?.closest(MESSAGES));
    }

    function start() {
        if (!Object.keys(window.localization || {}).length) return;
        gradioApp().querySelectorAll(OURS).forEach(translateUnder);
        onUiUpdate(mutations => {
            for (const node of mutations.flatMap(each => Array.from(each.addedNodes))) {
                if (isOurs(node)) translateUnder(node);
                else node.querySelectorAll?.(OURS).forEach(translateUnder);
            }
        });
    }

    return {start, translate};
};
