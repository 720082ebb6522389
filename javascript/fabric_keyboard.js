// Owns: what is done without a mouse: a key each for 👍 and 👎, for the picture in the viewer, under
// the pointer or selected; and the focus, which stays on the same thing after each answer.

(window.fabricParts ??= {}).keyboard = parts => {
    const {tabs, presses, thumbs, gallery, viewer, accordion, presets} = parts;

    // ---- a key for each thumb -------------------------------------------------------------------

    const FIELDS = 'input, textarea, select, [contenteditable], [role="textbox"], [role="combobox"]';
    // Inputs that take no letters: after a move of a slider the keys go on working.
    const NO_LETTERS = 'input:is([type=checkbox], [type=radio], [type=range], [type=button])';

    function isTyping(event) {
        const field = event.composedPath()[0]?.closest?.(FIELDS);
        return event.isComposing || (field && !field.matches(NO_LETTERS));
    }

    /** Whether an event is of this key, and of nothing but this key. */
    function isKey(event, key) {
        const typed = event.key;
        // Browsers that fill in a form send events that only look like those of a keyboard.
        if (!key || !typed) return false;
        // Shift and AltGr only where a sign needs them, as ? does.
        const isShifted = event.shiftKey || event.getModifierState('AltGraph');
        if (isShifted && typed.toLowerCase() !== typed.toUpperCase()) return false;
        if (typed.toLowerCase() === key.toLowerCase()) return true;
        // The same key where the keyboard writes another alphabet.
        const isForeign = /^\P{ASCII}$/u.test(typed) && event.code === `Key${key.toUpperCase()}`;
        return isForeign && !isShifted;
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

    // ---- the focus ------------------------------------------------------------------------------
    // An answer replaces HTML of the accordion, and with it what had the focus or was typed.

    // What has the focus, or had it when it was replaced; and whether it is moved by keys.
    const focusOf = tabs.stateOf(() => ({node: null, byKey: false}));
    // Fields that were typed into and have told nobody yet.
    const unsent = new WeakSet();

    function watchFocus(tab, panel) {
        const focus = focusOf(tab);
        panel.addEventListener('focusin', event => {
            focus.node = event.target;
        });
        panel.addEventListener('focusout', ({target}) => queueMicrotask(() => {
            // Nor where another window came before this one.
            if (!target.isConnected || document.activeElement === target) return;
            if (focus.node === target) focus.node = null;
            send(target);
        }));
        panel.addEventListener('pointerdown', () => {
            focus.byKey = false;
        });
        panel.addEventListener('keydown', ({key, target}) => {
            // A letter is none of the keys that go from one thing to the next.
            if (key === ' ' || key?.length > 1 || target.matches('input')) focus.byKey = true;
            if (key === 'Enter') setTimeout(() => send(target));
        });
        panel.addEventListener('input', event => unsent.add(event.target));
        // Not where it was replaced just now, which browsers tell as a change, too.
        panel.addEventListener('change', ({target}) => queueMicrotask(() => {
            if (target.isConnected) unsent.delete(target);
        }));
        new MutationObserver(records => keep(tab, panel, records)).observe(panel, {
            childList: true, subtree: true,
        });
    }

    /** Browsers tell no change of what was typed into a field before this one took its place. */
    function send(field) {
        if (unsent.has(field)) field.dispatchEvent(new Event('change', {bubbles: true}));
    }

    function keep(tab, panel, records) {
        const removed = records.flatMap(each => Array.from(each.removedNodes))
            .filter(each => each.nodeType === Node.ELEMENT_NODE);
        for (const field of removed.flatMap(each => [each, ...each.querySelectorAll('input')])) {
            if (field.matches('input')) keepTyped(tab, field, twinOf(panel, field));
        }
        const {node, byKey} = focusOf(tab);
        const isFree = !document.activeElement || document.activeElement === document.body;
        if (!isFree || !removed.some(each => each.contains(node))) return;
        const place = records.find(({removedNodes}) => {
            return Array.from(removedNodes).some(each => each.contains(node));
        });
        const next = twinOf(panel, node) || (byKey && nextBest(tab, panel, node, place));
        if (next) focusOn(next, node, byKey);
    }

    /** Keeps what the server does not know yet of a field. */
    function keepTyped(tab, field, twin) {
        const id = field.closest('[data-id]')?.dataset.id;
        const isMeant = each => each.do === 'weigh' && each.picture_id === id;
        const isPending = presses.pending(tab).some(isMeant);
        const isTyped = unsent.has(field) || isPending || field.matches('.fabric-name');
        if (!twin || !isTyped || twin.value === field.value) return;
        twin.value = field.value;
        if (unsent.has(field)) unsent.add(twin);
    }

    function focusOn(next, node, byKey) {
        next.focus({preventScroll: !byKey});
        if (!next.matches('input') || next.value !== node.value) return;
        // A field for numbers has no selection, and the cursor would be before the first digit.
        const {type} = next;
        next.type = 'text';
        const end = next.value.length;
        next.setSelectionRange(node.selectionStart ?? end, node.selectionEnd ?? end);
        next.type = type;
    }

    // ---- the same thing in new HTML -------------------------------------------------------------

    function kindOf(node) {
        return node.dataset.do || node.className;
    }

    function ownerOf(node) {
        const {id, name} = node.closest('[data-id], [data-name]')?.dataset || {};
        return id || name;
    }

    function alike(root, node) {
        const all = Array.from(root?.querySelectorAll('button, input') || []);
        return all.filter(each => kindOf(each) === kindOf(node) && each.getClientRects().length);
    }

    function twinOf(panel, node) {
        const twins = alike(panel, node).filter(each => ownerOf(each) === ownerOf(node));
        return twins.find(each => each.dataset.to === node.dataset.to);
    }

    /**
     * Where to go on from what is gone: its new place, its neighbour, what its list begins with.
     * `place` is the record of its removal, of what it is in or of itself.
     */
    function nextBest(tab, panel, node, place) {
        const owner = presets.newNameOf(tab, ownerOf(node)) || ownerOf(node);
        const moved = alike(panel, node).find(each => owner && ownerOf(each) === owner);
        if (moved) return moved;
        const column = (node.closest('.fabric-column') || place.target.closest('.fabric-column'))?.dataset.to;
        const root = column ? panel.querySelector(`.fabric-column[data-to=${column}]`) : panel;
        return neighbour(root, node, place) || firstOf(root, node);
    }

    function neighbour(root, node, {target, previousSibling}) {
        const tile = node.closest('[data-id], [data-name]');
        if (!tile) return null;
        const index = tile.parentElement ?
            Array.from(tile.parentElement.children).indexOf(tile) :
            Array.from(target.children).indexOf(previousSibling) + 1;
        const tiles = root.querySelectorAll('[data-id], [data-name]');
        const found = alike(tiles[Math.min(index, tiles.length - 1)], node);
        return found.find(each => each.dataset.to === node.dataset.to) || found[0];
    }

    function firstOf(root, node) {
        const pager = node.closest('.fabric-pager') && root.querySelector('.fabric-pager button');
        return pager || root.querySelector('[data-do=choose], .fabric-search, .fabric-name');
    }

    /** Undo and Clear hide themselves once there is nothing left for them. */
    function leaveHidden(tab) {
        const panel = tabs.element(tab, 'lists');
        // What is hidden may have lost the focus by now, and nothing else has it.
        const {node} = focusOf(tab);
        const isFree = [node, document.body, null].includes(document.activeElement);
        const isShown = each => each.getClientRects().length > 0;
        if (!node || !isFree || !panel.contains(node) || !isShown(panel) || isShown(node)) return;
        firstOf(node.closest('.fabric-column') || panel, node).focus();
    }

    function start() {
        document.addEventListener('keydown', onKey);
        presses.onChange(leaveHidden);
        for (const tab of tabs.all()) {
            for (const name of accordion.PANELS) watchFocus(tab, tabs.element(tab, name));
        }
    }

    return {start};
};
