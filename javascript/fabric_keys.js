// A key each for 👍 and 👎: for the picture in the viewer, under the pointer or selected.
/* global fabricUi */

(function() {
    const BUTTON_IDS = {liked: 'like', disliked: 'dislike'};
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
        const {viewer, galleryThumbs} = fabricUi;
        if (viewer.isOpen()) return viewer.picture();
        const popup = document.querySelector('.global-popup');
        if (popup && popup.style.display !== 'none') return null;
        return viewer.visibleTab() && galleryThumbs.lookedAt(viewer.visibleTab());
    }

    document.addEventListener('keydown', function(event) {
        const isChord = event.ctrlKey || event.altKey || event.metaKey;
        if (event.defaultPrevented || event.repeat || isChord) return;
        const {LISTS, keyFor} = fabricUi.thumbs;
        const list = LISTS.find(each => isKey(event, keyFor(each)));
        const picture = list && !isTyping(event) ? pictureMeant() : null;
        if (!picture) return;
        event.preventDefault();
        fabricUi.rate(fabricUi.viewer.visibleTab(), list, picture);
    });

    /** The buttons below the galleries name their keys, too. */
    function describeButtons() {
        for (const name of fabricUi.tabNames()) {
            for (const [list, id] of Object.entries(BUTTON_IDS)) {
                const button = gradioApp().getElementById(`${name}_fabric_${id}`);
                if (button) fabricUi.thumbs.describe(button, list);
            }
        }
    }

    onUiLoaded(describeButtons);
    onAfterUiUpdate(describeButtons);
})();
