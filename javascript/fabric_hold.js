// Keeps the picture where the eye is: on narrow pages the accordion above it grows with a rating.
/* global fabricUi */

/** Scrolls along with what the tab's accordion does to a node's place; returns how to stop it. */
fabricUi.holdStill = function(name, node) {
    const accordion = gradioApp().getElementById(`${name}_fabric_accordion`);
    let before = node.getBoundingClientRect();
    const onScroll = () => {
        before = node.getBoundingClientRect();
    };
    const observer = new ResizeObserver(() => {
        const moved = node.getBoundingClientRect().top - before.top;
        const wasInSight = before.height && before.bottom > 0 && before.top < window.innerHeight;
        if (moved && wasInSight) window.scrollBy({top: moved, behavior: 'instant'});
    });
    if (accordion) observer.observe(accordion);
    window.addEventListener('scroll', onScroll, {passive: true});
    return () => {
        observer.disconnect();
        window.removeEventListener('scroll', onScroll);
    };
};
