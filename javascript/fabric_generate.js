// Generate waits until what was pressed before it is settled. Right after a thumb it would still
// send the lists as they were, and right after infotext names that nobody has looked up yet.
/* global fabricUi */

(function() {
    // Whatever sends the tab's form to the server as it stands.
    const BUTTONS = ['generate', 'upscale'];

    function holdIfUnsettled(event) {
        const button = event.target.closest('button');
        const name = button && fabricUi.tabNames().find(each => isGenerateOf(each, button));
        if (!name || fabricUi.isSettled(fabricUi.tab(name))) return;
        event.stopImmediatePropagation();
        event.preventDefault();
        fabricUi.tab(name).held = button;
        button.classList.add('fabric-held');
    }

    function isGenerateOf(name, button) {
        return BUTTONS.some(each => button.id === `${name}_${each}`);
    }

    /** Presses the button whose press was held, once nothing is under way any more. */
    fabricUi.releaseHeld = function(tab) {
        const button = tab.held;
        if (!button || !fabricUi.isSettled(tab)) return;
        tab.held = null;
        button.classList.remove('fabric-held');
        button.click();
    };

    window.addEventListener('click', holdIfUnsettled, true);
})();
