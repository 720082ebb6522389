// Owns: the marks on rated pictures of the result gallery, and the thumbs that rate one: what they
// say and show, the same below the gallery, over a thumbnail, on the preview and in the viewer.
/* global opts */

(window.fabricParts ??= {}).thumbs = ({tabs, presses, texts, messages}) => {
    const {LISTS} = tabs;
    const FACES = {liked: '👍', disliked: '👎'};
    const LABELS = {
        liked: 'Like the picture for FABRIC; press again to undo.',
        disliked: 'Dislike the picture for FABRIC; press again to undo.',
    };
    // The buttons below the gallery.
    const BUTTON_IDS = {liked: 'like', disliked: 'dislike'};
    // The host uses S, the arrows and Escape in its viewer, Q, W, R, S, F and O over a canvas.
    const KEYS = {
        liked: {option: 'fabric_key_like', unset: 'L'},
        disliked: {option: 'fabric_key_dislike', unset: 'D'},
    };

    const listeners = [];
    // The seeds of a comparison that waits until all presses are answered.
    const comparisonOf = tabs.stateOf(() => ({seeds: null}));
    const watched = tabs.stateOf(() => ({root: null, observer: null}));

    // ---- which picture --------------------------------------------------------------------------

    /** The picture in a thumbnail of the gallery, or in its preview, where gradio 4 has a button. */
    function imageIn(entry) {
        return entry?.querySelector(':scope > img, :scope > .image-button > img');
    }

    /** The address of the picture there; '' for none. */
    function addressIn(entry) {
        return imageIn(entry)?.getAttribute('src') || '';
    }

    /** The selected picture; index -1 if none is, with the address of the only one if there is one. */
    function selectedPicture(tab) {
        const root = tabs.gallery(tab);
        const small = Array.from(root.querySelectorAll('.thumbnails > .thumbnail-small'));
        const index = small.findIndex(each => each.classList.contains('selected'));
        if (index >= 0) return {index, address: addressIn(small[index])};
        const all = root.querySelectorAll('.grid-container > .thumbnail-lg');
        return {index: -1, address: all.length === 1 ? addressIn(all[0]) : ''};
    }

    /** A press of the button below the gallery. */
    function press(name, list) {
        const tab = tabs.named(name);
        rate(tab, list, selectedPicture(tab));
    }

    /** Rates one entry of the gallery. */
    function rate(tab, list, picture) {
        presses.request(tab, {do: 'rate', to: list, toggles: true, ...picture});
    }

    /** What was pressed but not answered yet: address to list, '' for an undo. */
    function pendingRatings(tab) {
        const pending = new Map();
        for (const each of presses.pending(tab)) {
            if (!each.address || !presses.isRating(each)) continue;
            const before = pending.get(each.address) ?? tabs.markOf(tab, each.address);
            const isUndo = each.do === 'unrate' || (each.toggles && before === each.to);
            pending.set(each.address, isUndo ? '' : each.to);
        }
        return pending;
    }

    // ---- with and without -----------------------------------------------------------------------
    // The host's own Generate makes both: lib_fabric/hosts/common/comparison.py.

    /** A press of the button below the gallery. */
    function compare(name) {
        const tab = tabs.named(name);
        const isOn = gradioApp().querySelector(`#${name}_fabric_accordion-checkbox input`).checked;
        const isRated = LISTS.some(list => tab.lists[list].length) || pendingRatings(tab).size;
        if (!isRated || (!isOn && presses.isSettled(tab))) {
            messages.tell(tab, 'Rate a picture and switch FABRIC on first: then there is a difference.');
            return;
        }
        comparisonOf(tab).seeds = seedsOfSelected(tab);
        generateComparison(tab);
    }

    function seedsOfSelected(tab) {
        try {
            const box = gradioApp().querySelector(`#generation_info_${tab.name} textarea`);
            const info = JSON.parse(box.value);
            const at = Math.max(0, selectedPicture(tab).index - (info.index_of_first_image || 0));
            return {seed: info.all_seeds[at], subseed: info.all_subseeds[at]};
        } catch (error) {
            // Nothing generated yet: then the seed of the form counts.
            return {};
        }
    }

    function generateComparison(tab) {
        const state = comparisonOf(tab);
        if (!state.seeds || !presses.isSettled(tab)) return;
        const field = tabs.element(tab, 'comparison').querySelector('textarea');
        setField(field, JSON.stringify(state.seeds));
        state.seeds = null;
        // gradio takes a field's value at the press, once it has heard of it: for this one alone.
        setTimeout(() => {
            gradioApp().getElementById(`${tab.name}_generate`).click();
            setTimeout(() => setField(field, ''));
        });
    }

    function setField(field, text) {
        field.value = text;
        field.dispatchEvent(new Event('input', {bubbles: true}));
    }

    // ---- marks ----------------------------------------------------------------------------------

    function setMark(node, mark) {
        if (!node || (node.dataset.fabricMark || '') === mark) return;
        if (mark) node.dataset.fabricMark = mark;
        else delete node.dataset.fabricMark;
    }

    function refresh(tab) {
        const root = tabs.gallery(tab);
        if (!root) return;
        // An attribute of our own: gradio rewrites the classes of these buttons as it likes.
        for (const item of root.querySelectorAll('.thumbnail-item')) {
            setMark(item, tabs.markOf(tab, addressIn(item)));
        }
        const preview = root.querySelector('.preview');
        if (imageIn(preview)) setMark(preview, tabs.markOf(tab, addressIn(preview)));
        const picture = selectedPicture(tab);
        const first = addressIn(root.querySelector('.thumbnail-item'));
        messages.lookAt(tab, JSON.stringify([picture, first]));
        const selected = tabs.markOf(tab, picture.address);
        for (const list of LISTS) {
            const button = tabs.element(tab, BUTTON_IDS[list]);
            if (!button) continue;
            setMark(button, selected === list ? list : '');
            button.setAttribute('aria-pressed', String(selected === list));
            describe(button, list);
        }
        for (const listener of listeners) listener(tab);
    }

    /** Keeps the marks right while gradio re-renders the gallery. */
    function watch(tab) {
        const root = tabs.gallery(tab);
        const state = watched(tab);
        if (!root || root === state.root) return;
        state.observer?.disconnect();
        state.root = root;
        state.observer = new MutationObserver(() => refresh(tab));
        state.observer.observe(root, {
            childList: true, subtree: true, attributes: true, attributeFilter: ['src', 'class'],
        });
    }

    // ---- the thumbs -----------------------------------------------------------------------------

    /** The key for a list; '' for none. */
    function keyFor(list) {
        const value = opts[KEYS[list].option];
        return typeof value === 'string' ? value.trim() : KEYS[list].unset;
    }

    /** Puts the tooltip, with the key as it is now, on a button for a list. */
    function describe(button, list) {
        const label = texts.translate(LABELS[list]);
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
    function show(pair, tab, picture) {
        pair.hidden = !picture;
        const mark = picture ? tabs.markOf(tab, picture.address) : '';
        const pending = picture ? pendingRatings(tab).get(picture.address) : undefined;
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

    function start() {
        const refreshAll = () => tabs.all().forEach(tab => {
            watch(tab);
            refresh(tab);
        });
        presses.onChange(refresh);
        presses.onChange(generateComparison);
        refreshAll();
        onAfterUiUpdate(refreshAll);
    }

    return {
        FACES, start, press, compare, rate, selectedPicture, imageIn, addressIn, pendingRatings, setMark,
        keyFor, make, show,
        /** Calls back with the tab whenever its gallery or what is rated may have changed. */
        onRefresh: listener => listeners.push(listener),
    };
};
