// Owns: a key each for 👍 and 👎, for the picture in the viewer, under the pointer or selected.

(window.fabricParts ??= {}).keys = ({tabs, thumbs, gallery, viewer}) => {
    const FIELDS = 'input, textarea, select, [contenteditable], [role="textbox"], [role="combobox"]';
    // Inputs that take no letters: after a move of a slider the keys go on working.
    const NO_LETTERS = 'input:is([type=checkbox], [type=radio], [type=range], [type=button])';

    function isTyping(event) {
        const field = event.composedPath()[0]?.closest?.(FIELDS);
        return event.isComposing || (field && !field.matches(NO_LETTERS));
    }

    function isKey(event, key) {
        if (!key) return false;
        if (event.key.toLowerCase() === key.toLowerCase()) return true;
        // The same key where the keyboard writes another alphabet.
        return /^\P{ASCII}$/u.test(event.key) && event.code === `Key${key.toUpperCase()}`;
    }

    function pictureMeant() {
        if (viewer.isOpen()) return viewer.picture();
        const popup = document.querySelector('.global-popup');
        if (popup && popup.style.display !== 'none') return null;
        return viewer.visibleTab() && gallery.lookedAt(viewer.visibleTab());
    }

    function onKey(event) {
        const isChord = event.ctrlKey || event.altKey || event.metaKey;
        if (event.defaultPrevented || event.repeat || isChord) return;
        const list = tabs.LISTS.find(each => isKey(event, thumbs.keyFor(each)));
        const picture = list && !isTyping(event) ? pictureMeant() : null;
        if (!picture) return;
        event.preventDefault();
        thumbs.rate(viewer.visibleTab(), list, picture);
    }

    return {start: () => document.addEventListener('keydown', onKey)};
};
