// A pair of thumbs for one picture: the same over a thumbnail, on the preview and in the viewer.
/* global fabricUi, opts */

fabricUi.thumbs = (function() {
    const LISTS = ['liked', 'disliked'];
    const FACES = {liked: '👍', disliked: '👎'};
    const LABELS = {
        liked: 'Like the picture for FABRIC; press again to undo.',
        disliked: 'Dislike the picture for FABRIC; press again to undo.',
    };
    // The host uses S, the arrows and Escape in its viewer, Q, W, R, S, F and O over a canvas.
    const KEYS = {
        liked: {option: 'fabric_key_like', unset: 'L'},
        disliked: {option: 'fabric_key_dislike', unset: 'D'},
    };

    /** The key for a list; '' for none. */
    function keyFor(list) {
        const value = opts[KEYS[list].option];
        return typeof value === 'string' ? value.trim() : KEYS[list].unset;
    }

    /** Puts the tooltip, with the key as it is now, on a button for a list. */
    function describe(button, list) {
        const label = fabricUi.translate(LABELS[list]);
        const key = keyFor(list);
        const shown = key.length === 1 ? key.toUpperCase() : key;
        const title = key ? `${label.replace(/[.。]$/, '')} (${shown})` : label;
        if (button.title !== title) button.title = title;
        setAttribute(button, 'aria-label', label);
        setAttribute(button, 'aria-keyshortcuts', shown);
    }

    /** A hidden pair; `press(list)` is called for a press. */
    function make(place, press) {
        const pair = document.createElement('div');
        pair.dataset.fabricThumbs = place;
        pair.hidden = true;
        for (const list of LISTS) {
            const button = document.createElement('button');
            button.type = 'button';
            button.dataset.to = list;
            button.textContent = FACES[list];
            button.addEventListener('click', event => {
                event.stopPropagation();
                press(list);
            });
            pair.append(button);
        }
        // The focus stays where it was, so that the arrow keys go on walking the pictures.
        pair.addEventListener('mousedown', event => event.preventDefault());
        return pair;
    }

    /** Shows the pair for a picture `{address}` of a tab, or hides it for null. */
    function show(pair, name, picture) {
        pair.hidden = !picture;
        const mark = picture ? fabricUi.markOf(name, picture.address) : '';
        const pending = picture ? fabricUi.pendingRatings(name).get(picture.address) : undefined;
        for (const button of pair.children) {
            const list = button.dataset.to;
            describe(button, list);
            setAttribute(button, 'aria-pressed', String(mark === list));
            const isPending = pending !== undefined && list === (pending || mark);
            button.toggleAttribute('data-fabric-pending', isPending);
        }
    }

    function setAttribute(node, name, value) {
        if (value === '') node.removeAttribute(name);
        else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
    }

    return {LISTS, FACES, keyFor, describe, make, show};
})();
