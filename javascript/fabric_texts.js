// Owns: texts in the page's language where the host's own pass does not get: attributes inside HTML
// that is replaced, texts with an emoji, and what is put together from parts. Of that the server
// sends a message along: [key, ...parameters], the key being a text of localizations/*.json with {}
// for each parameter; the translation has {1}, {2} … for them. A parameter is a text as it is,
// {time} in UTC, or again a message.

(window.fabricParts ??= {}).texts = () => {
    const ATTRIBUTES = ['title', 'aria-label', 'alt', 'placeholder'];
    const OURS = '[id*="_fabric_"], [data-fabric-thumbs]';
    // What a user wrote is not ours to translate, though it may read like one of our words.
    const THEIRS = '[translate="no"]';
    const TOASTS = '.toast-wrap';
    // Where the host prints errors and warnings: finished sentences.
    const PRINTED = '[id^="html_log_"]';
    const PREFIX = /^((?:Fabric|UnsupportedModel)Error: |(?:dis)?liked\[\d+\](?:\.image)?: )(.+)$/s;

    let patterns = null;
    // The note that came last, which gradio shows in a toast as it is.
    let toast = null;

    // ---- messages -------------------------------------------------------------------------------

    /** A text as the page's language has it, else in English. */
    function translate(key, ...parameters) {
        const shown = parameters.map(showParameter);
        const text = window.localization?.[key];
        if (typeof text !== 'string') return key.replaceAll('{}', () => shown.shift());
        return text.replace(/\{(\d)\}/g, (all, number) => shown[number - 1] ?? all);
    }

    function showParameter(parameter) {
        if (Array.isArray(parameter)) return translate(...parameter);
        if (!parameter.time) return parameter;
        const format = {dateStyle: 'medium', timeStyle: 'short'};
        return new Date(parameter.time).toLocaleString([], format);
    }

    /** Whether a message reads otherwise here than in the English that the server sent. */
    function isOther(message) {
        const parts = message.slice(1);
        return typeof window.localization?.[message[0]] === 'string' ||
            parts.some(each => each.time || (Array.isArray(each) && isOther(each)));
    }

    /** Puts the messages of an element in their places. */
    function fill(element) {
        for (const [place, message] of Object.entries(messagesOf(element))) {
            if (!isOther(message)) continue;
            if (place === 'text') element.textContent = translate(...message);
            else element.setAttribute(place, translate(...message));
        }
    }

    function messagesOf(element) {
        return JSON.parse(element.dataset.fabricTexts || '{}');
    }

    // ---- texts that are fixed -------------------------------------------------------------------

    function fixed(text) {
        const translation = window.localization?.[text];
        return typeof translation === 'string' ? translation : text;
    }

    function replaceText(node, find) {
        const text = node.textContent.trim();
        const translation = text && find(text);
        if (translation && translation !== text) node.textContent = translation;
    }

    function replaceAttributes(element) {
        const isFixed = name => element.hasAttribute(name) && !messagesOf(element)[name];
        for (const name of ATTRIBUTES.filter(isFixed)) {
            const text = element.getAttribute(name);
            if (fixed(text) !== text) element.setAttribute(name, fixed(text));
        }
    }

    function translateUnder(root) {
        const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
        for (let node = root; node; node = nodes.nextNode()) {
            const element = elementOf(node);
            if (node === element && element.dataset?.fabricTexts) fill(element);
            if (!element || element.closest(THEIRS)) continue;
            if (node === element) replaceAttributes(element);
            else if (!messagesOf(element).text) replaceText(node, fixed);
        }
    }

    // ---- sentences that the host prints ---------------------------------------------------------

    function printed(text) {
        const texts = window.localization || {};
        // A warning begins with a capital letter where the same sentence in an error does not.
        const exact = texts[text] ?? texts[text.slice(0, 1).toLowerCase() + text.slice(1)];
        if (typeof exact === 'string') return exact;
        patterns ??= preparePatterns();
        for (const [pattern, translation] of patterns) {
            const parts = pattern.exec(text);
            if (!parts) continue;
            const part = number => parts[number] === undefined ? null : printed(parts[number]);
            return translation.replace(/\{(\d)\}/g, (all, number) => part(number) ?? all);
        }
        const prefixed = PREFIX.exec(text);
        return prefixed ? prefixed[1] + printed(prefixed[2]) : text;
    }

    function preparePatterns() {
        const escape = text => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
        return Object.entries(window.localization || {})
            .filter(([key, text]) => key.includes('{}') && typeof text === 'string')
            .map(([key, text]) => [key.split('{}').map(escape).join('(.+?)'), text])
            // The most particular first.
            .sort((first, second) => second[0].length - first[0].length)
            .map(([pattern, text]) => [new RegExp(`^${pattern}$`, 'i'), text]);
    }

    // ---- the page -------------------------------------------------------------------------------

    function elementOf(node) {
        return node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    }

    function eachText(root, find) {
        const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        for (let node = root; node; node = nodes.nextNode()) {
            if (node.nodeType === Node.TEXT_NODE) replaceText(node, find);
        }
    }

    /** What the server said {text, message}, as the page's language has it. */
    function textOf({text, message}) {
        return isOther(message) ? translate(...message) : text;
    }

    function inToast(text) {
        return toast && text === toast.text ? textOf(toast) : text;
    }

    /** Translates the toast of a note, which may be shown before or after. */
    function translateToast(note) {
        toast = note;
        gradioApp().querySelectorAll(TOASTS).forEach(each => eachText(each, inToast));
    }

    function onAdded(node) {
        const element = elementOf(node);
        if (element?.closest(OURS)) translateUnder(node);
        else if (element?.closest(TOASTS)) eachText(node, inToast);
        else if (element?.closest(PRINTED)) eachText(node, printed);
        else node.querySelectorAll?.(OURS).forEach(translateUnder);
    }

    function start() {
        gradioApp().querySelectorAll(OURS).forEach(translateUnder);
        onUiUpdate(mutations => {
            mutations.flatMap(each => Array.from(each.addedNodes)).forEach(onAdded);
        });
    }

    return {start, translate, textOf, translateToast};
};
