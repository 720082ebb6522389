// Which picture in the result gallery is meant, and the marks on those that are rated.
/* global fabricUi */

Object.assign(fabricUi, (function() {
    const THUMBS = {liked: 'like', disliked: 'dislike'};
    const listeners = [];

    function addressOf(image) {
        return image ? image.getAttribute('src') : '';
    }

    /** The selected picture; index -1 if none is, with the address of the only one if there is one. */
    function selectedPicture(name) {
        const root = fabricUi.gallery(name);
        const small = Array.from(root.querySelectorAll('.thumbnails > .thumbnail-small'));
        const index = small.findIndex(each => each.classList.contains('selected'));
        if (index >= 0) return {index, address: addressOf(small[index].querySelector('img'))};
        const all = root.querySelectorAll('.grid-container > .thumbnail-lg img');
        return {index: -1, address: all.length === 1 ? addressOf(all[0]) : ''};
    }

    function press(name, list) {
        rate(name, list, selectedPicture(name));
    }

    /** Rates one entry of the gallery, as the buttons below it do for the selected one. */
    function rate(name, list, picture) {
        fabricUi.request(fabricUi.tab(name), {do: 'rate', to: list, toggles: true, ...picture});
    }

    /** What was pressed but not answered yet: address to list, '' for an undo. */
    function pendingRatings(name) {
        const tab = fabricUi.tab(name);
        const pending = new Map();
        for (const each of [tab.current, ...tab.waiting]) {
            if (!each || !each.address || !fabricUi.isRating(each)) continue;
            const before = pending.get(each.address) ?? markOf(name, each.address);
            const isUndo = each.do === 'unrate' || (each.toggles && before === each.to);
            pending.set(each.address, isUndo ? '' : each.to);
        }
        return pending;
    }

    function markOf(name, address) {
        const tab = fabricUi.tab(name);
        const id = tab.ids.get(address);
        return fabricUi.LISTS.find(list => tab.lists[list].includes(id)) || '';
    }

    function setMark(node, mark) {
        if (!node || (node.dataset.fabricMark || '') === mark) return;
        if (mark) node.dataset.fabricMark = mark;
        else delete node.dataset.fabricMark;
    }

    function refreshMarks(tab) {
        const root = fabricUi.gallery(tab.name);
        if (!root) return;
        // An attribute of our own: gradio rewrites the classes of these buttons as it likes.
        for (const item of root.querySelectorAll('.thumbnail-item')) {
            setMark(item, markOf(tab.name, addressOf(item.querySelector('img'))));
        }
        const large = root.querySelector('.preview > img');
        if (large) setMark(large.parentElement, markOf(tab.name, addressOf(large)));
        const selected = markOf(tab.name, selectedPicture(tab.name).address);
        for (const list of fabricUi.LISTS) {
            const thumb = fabricUi.element(tab, THUMBS[list]);
            setMark(thumb, selected === list ? list : '');
            if (thumb) thumb.setAttribute('aria-pressed', String(selected === list));
        }
        fabricUi.refreshAccordion(tab);
        for (const listener of listeners) listener(tab.name);
    }

    /** Keeps the marks right while gradio re-renders the gallery. */
    function watchGallery(tab) {
        const root = fabricUi.gallery(tab.name);
        if (!root || root === tab.observed) return;
        if (tab.observer) tab.observer.disconnect();
        tab.observed = root;
        tab.observer = new MutationObserver(() => refreshMarks(tab));
        tab.observer.observe(root, {
            childList: true, subtree: true, attributes: true, attributeFilter: ['src', 'class'],
        });
        root.addEventListener('dragstart', event => startDrag(tab, event));
        root.addEventListener('dragend', () => delete tab.dragged);
    }

    function startDrag(tab, event) {
        const item = event.target.closest('.thumbnail-item, .preview');
        const address = addressOf(item?.querySelector(':scope > img'));
        if (!address) return;
        const siblings = item.matches('.preview') ? [] : Array.from(item.parentElement.children);
        const index = siblings.filter(each => each.matches('.thumbnail-item')).indexOf(item);
        tab.dragged = {do: 'rate', index: index, address: address};
        if (index < 0) Object.assign(tab.dragged, selectedPicture(tab.name));
    }

    return {
        press, rate, selectedPicture, pendingRatings, markOf, setMark, refreshMarks, watchGallery,
        /** Calls back with the tab's name whenever its gallery or what is rated may have changed. */
        onMarks: listener => listeners.push(listener),
    };
})());
